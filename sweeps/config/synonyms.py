"""What people who come from Optuna, Ray Tune, W&B, Lightning or scikit-learn call things here.

Spelled in lower case without separators, as `ae.words.plain` makes them.
"""

from __future__ import annotations


def _by_spelling(table: dict[str, str]) -> dict[str, str]:
    return {spelling: name for name, spellings in table.items() for spelling in spellings.split()}


OPTIONS = _by_spelling(
    {
        "--max-epochs": "epochs nepochs numepochs maxt trainingiteration niter iterations maxiter e",
        "--trials": "ntrials numtrials maxtrials numsamples nsamples count evals maxevals n",
        "--results": "output out o outdir outputdir savedir logdir localdir defaultrootdir resultsdir workdir",
        "--name": "runname experimentname expname studyname sweepname experiment study",
        "--resume": "restore continue restart restorefrom resumefrom ckptpath checkpoint fromcheckpoint",
        "--or-resume": "loadifexists resumeifexists autoresume",
        "--max-concurrent": "workers numworkers nworkers njobs jobs j parallel concurrency maxconcurrenttrials",
        "--cpus-per-trial": "cpus ncpus numcpus cpu cpupertrial threads numthreads nthreads",
        "--gpus-per-trial": "gpus gpu ngpus numgpus gpupertrial",
        "--device": "accelerator cuda usecuda",
        "--time-limit": "timeout trialtimeout",
        "--time-budget": "budget timebudgets maxtime totaltime walltime",
        "--scheduler": "pruner earlystopping",
        "--search": "searchalg method strategy algorithm algo",
        "--grace-period": "minepochs mint minresource warmup nwarmupsteps",
        "--reduction-factor": "eta rf",
        "--eval-every": "valevery checkvaleverynepoch valcheckinterval evalinterval evalfreq validateevery",
        "--track": "logger tracker reportto wandb mlflow usewandb",
        "--data": "dataset datasets datadir datapath dataroot input root",
        "--subset": "maxsamples maxtrainsamples limittrainbatches limit",
        "--space": "searchspace paramspace configspace params parameters hparams hyperparameters grid sweepconfig",
        "--seed": "randomseed randomstate rngseed manualseed",
        "--seeds": "repeats nseeds numseeds repetitions",
        "--top-k": "top k nbest best topn",
        "--retrain-epochs": "finalepochs refitepochs",
        "--smoke": "smoketest fastdevrun quick test",
        "--list": "listtasks ls",
        "--address": "rayaddress cluster head",
        "--storage": "storagepath bucket uploaddir s3",
        "--dashboard": "includedashboard ui",
        "--open": "browser openbrowser serve live page",
        "--warm-start": "warmstartfrom previous initfrom",
        "--config": "configfile cfg conf c yaml",
        "--task": "problem benchmark model",
        "--patience": "earlystoppingpatience",
        "--target": "stopat goal",
        "--verbose": "debug v loglevel",
        "--symbols": "tickers ticker stocks",
        "--field": "column price",
        "--start": "from startdate begin since",
        "--end": "to enddate until",
        "--window": "windowsize seqlen sequencelength lookback",
        "--try": "enqueue enqueuetrial pointstoevaluate",
    }
)
ALWAYS = {"tensorboard": "TensorBoard files are always written, without an option"}
"""What needs no option."""
SHOW_OPTIONS = _by_spelling(
    {
        "--watch": "follow f refresh interval w",
        "--trials": "n limit top lines rows",
        "--serve": "server web ui dashboard page http open browser",
        "--port": "p",
    }
)
"""Those of `show.py`, where they mean something else."""
APPLY_OPTIONS = _by_spelling(
    {
        "--output": "out o outfile outputfile results save to",
        "--steps": "horizon nsteps forecast forecaststeps",
        "--quantile": "percentile q",
        "--threshold": "thresh cutoff",
        "--per-step": "perstep stepwise reconstructions",
    }
)
"""Those of `apply.py`."""
EXPORT_OPTIONS = _by_spelling({"--output": "out o outfile outputfile save file", "--to": "format form f kind target"})
"""Those of `export.py`."""
HYPERPARAMETERS = _by_spelling(
    {
        "lr": "learningrate learnrate stepsize eta alpha baselr maxlr initlr adamlr",
        "hidden_size": "hidden hiddendim hiddenunits units nunits nhidden width dim",
        "latent_size": "latent latentdim codesize bottleneck zdim embeddingdim",
        "layers": "numlayers nlayers depth",
        "dropout": "dropoutrate droprate pdrop",
        "noise": "noisestd denoising inputnoise",
        "patch": "patchsize patchlen",
        "time_features": "positionalencoding positionencoding timeencoding",
        "batch_size": "batch bs trainbatchsize batchsz minibatch perdevicetrainbatchsize",
        "clip": "gradclip gradientclip gradientclipval clipnorm clipvalue maxgradnorm maxnorm gradnorm clipping",
        "init": "initializer initialiser weightinit initialisation kernelinitializer",
        "schedule": "lrschedule lrscheduler scheduler learningrateschedule",
    }
)
SCHEDULERS = _by_spelling(
    {
        "asha": "sha successivehalving asynchalving halving ashascheduler pruner",
        "asha-stop": "asynchyperband asynchyperbandscheduler rayasha",
        "hyperband": "hb bohb hyperbandscheduler hyperbandpruner",
        "median": "medianstopping medianstoppingrule medianpruner",
        "none": "fifo fifoscheduler no off false nop noppruner null",
    }
)
SAMPLERS = _by_spelling(
    {
        "tpe": "tpesampler bayes bayesian bayesopt hyperopt bohb optuna motpe",
        "gp": "gpsampler gaussianprocess botorch ax botorchsampler skopt",
        "random": "randomsampler rand randomsearch uniform",
        "cmaes": "cma cmaessampler evolution",
    }
)
SEARCHES = _by_spelling(
    {
        "grid": "gridsearch gridsampler full exhaustive",
        "optuna": "optunasearch optim hyperopt bayesopt bayesian bayes",
        "optuna --sampler tpe": "tpe tpesampler",
        "optuna --sampler gp": "gp gpsampler",
        "optuna --sampler random": "random randomsearch rand",
        "optuna --sampler cmaes": "cmaes cma",
    }
)
TRACKERS = _by_spelling({"wandb": "wb weightsandbiases weightsbiases wanddb", "mlflow": "mlflowlogger"})
DEVICES = _by_spelling({"cuda": "gpu cuda0 nvidia", "cpu": "cpus none"})
EXPORTS = _by_spelling(
    {
        "onnx": "ort onnxruntime",
        "torch": "pt2 pt pth pytorch torchexport exportedprogram torchscript jit",
        "safetensors": "safetensor weights huggingface hf",
    }
)
CHOICES = {
    "scheduler": SCHEDULERS,
    "sampler": SAMPLERS,
    "search": SEARCHES,
    "track": TRACKERS,
    "device": DEVICES,
    "to": EXPORTS,
}
"""By the option whose values they are."""
VERBS = _by_spelling(
    {
        "run": "train tune sweep start fit search launch go",
        "show": "status watch ls list monitor info view tail top",
        "compare": "diff plot",
        "replay": "simulate",
        "evaluate": "eval test",
        "apply": "predict score infer inference detect encode transform forecast",
        "export": "save convert onnx deploy package serialize",
        "rebuild": "repair reindex regenerate",
        "run --resume": "resume restore continue restart",
    }
)
RANGE = _by_spelling(
    {
        "low": "min lower from start minimum lowerbound",
        "high": "max upper to stop end maximum upperbound",
        "log": "logscale logarithmic loguniform",
        "step": "q steps stepsize",
    }
)
"""Keys of a range."""
