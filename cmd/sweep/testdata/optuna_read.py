"""Prints what Optuna reads of a study: python optuna_read.py FILE STUDY."""
import json
import sys
import warnings

warnings.simplefilter("error")
import optuna

study = optuna.load_study(study_name=sys.argv[2], storage="sqlite:///" + sys.argv[1])
print(json.dumps({
    "version": optuna.__version__,
    "best": {"number": study.best_trial.number, "value": study.best_value},
    "trials": [
        {
            "number": t.number,
            "state": {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}[t.state.name],
            "value": t.value if t.state.name == "COMPLETE" else None,
            "params": t.params,
            "curve": [[s, v] for s, v in sorted(t.intermediate_values.items())],
        }
        for t in study.trials
    ],
}))
