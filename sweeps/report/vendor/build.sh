#!/usr/bin/env bash
# Builds echarts.js again: the parts of Apache ECharts that the page uses, in one file. Needs Node.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cp "$here/echarts.entry.mjs" "$work/entry.mjs"
cd "$work"
npm init --yes > /dev/null
npm install --silent echarts@6.1.0 esbuild@0.28.2
./node_modules/.bin/esbuild entry.mjs --bundle --minify --format=iife --global-name=echarts --charset=utf8 \
  --legal-comments=inline --outfile="$here/echarts.js"
