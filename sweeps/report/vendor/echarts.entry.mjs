// The parts of Apache ECharts that the page uses.
import { CustomChart, LineChart, ParallelChart, ScatterChart } from "echarts/charts";
import {
  DataZoomSliderComponent, GridComponent, LegendScrollComponent, MarkAreaComponent, MarkLineComponent, MarkPointComponent,
  ParallelComponent, TooltipComponent, VisualMapContinuousComponent,
} from "echarts/components";
import * as echarts from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

echarts.use([
  CustomChart, LineChart, ParallelChart, ScatterChart, DataZoomSliderComponent, GridComponent, LegendScrollComponent,
  MarkAreaComponent, MarkLineComponent, MarkPointComponent, ParallelComponent, TooltipComponent,
  VisualMapContinuousComponent, CanvasRenderer,
]);
export { init, version } from "echarts/core";
