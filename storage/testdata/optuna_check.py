"""What Optuna sees in a database and does to it, for optuna_test.go.

Each line of the input is a command, a JSON list; its answer is a line of JSON:

    ["version"]
    ["dump", PATH, STUDY]     the study; floats as text, which keeps NaN and infinities
    ["ask", PATH, STUDY, N]   asks for N trials and tells their results, the last one pruned; the study
    ["create", PATH, STUDY]   makes a study of Optuna's own; the study
    ["delete", PATH, STUDY]   null
"""

import json
import sys
import warnings

warnings.simplefilter("error")  # a file that Optuna grumbles about is not right

try:
    import optuna  # noqa: E402
except ImportError:
    sys.exit(9)

optuna.logging.set_verbosity(optuna.logging.ERROR)


def number(v):
    return None if v is None else repr(float(v))


def dump(study):
    for t in study.get_trials():
        for name, d in t.distributions.items():
            if not d._contains(d.to_internal_repr(t.params[name])):
                raise SystemExit(f"{name}={t.params[name]!r} of trial {t.number} is not in {d}")
    best = None
    try:
        best = number(study.best_value)
    except ValueError:
        pass
    return {
        "direction": study.direction.name,
        "metric_names": study.metric_names,
        "best": best,
        "trials": [
            {
                "number": t.number,
                "state": t.state.name,
                "value": number(t.value),
                "params": t.params,
                "curve": [[s, number(v)] for s, v in sorted(t.intermediate_values.items())],
                "start": t.datetime_start and t.datetime_start.isoformat(),
                "complete": t.datetime_complete and t.datetime_complete.isoformat(),
            }
            for t in study.get_trials()
        ],
    }


def suggest(trial):
    trial.suggest_float("lr", 1e-5, 1.0, log=True)
    trial.suggest_int("latent", 64, 512, step=64)
    trial.suggest_categorical("loss", ["mse", "mae", None, True, 0.5])


def ask(study, n):
    for i in range(n):
        trial = study.ask()
        suggest(trial)
        trial.report(float("nan"), 1)
        trial.report(float("inf"), 2)
        trial.report(0.25 + i, 3)
        if i == n - 1:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, 0.125 + i)
    failed = study.ask()
    study.tell(failed, state=optuna.trial.TrialState.FAIL)


def answer(command, *args):
    if command == "version":
        return optuna.__version__
    storage, name = "sqlite:///" + args[0], args[1]
    if command == "delete":
        return optuna.delete_study(study_name=name, storage=storage)
    if command == "create":
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
        ask(study, 3)
        study.ask()  # stays running
        study.enqueue_trial({"lr": 0.5})  # stays waiting
        return dump(study)
    study = optuna.load_study(storage=storage, study_name=name)
    if command == "ask":
        ask(study, args[2])
    if [s.study_name for s in optuna.get_all_study_summaries(storage)].count(name) != 1:
        raise SystemExit("the study is not in the list of studies")
    return dump(study)


for line in sys.stdin:
    print(json.dumps(answer(*json.loads(line))), flush=True)
