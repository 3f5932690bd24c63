"""The one tool the agents here have: a shell command, run as a child process."""

import argparse
import json
import os
import subprocess

# Longest output that is given back to the model.
MAX_OUTPUT_CHARACTERS = 20_000

NAME = "shell"
DESCRIPTION = "Run a command in a shell and get its output and exit code."
SCHEMA = {
    "type": "object",
    "properties": {"command": {"type": "string", "description": "The command line."}},
    "required": ["command"],
}


def read_options(default_model):
    """`--url` of the server without a path, `--ca`, `--prompt` (again for further turns), `--model`, `--stream`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca")
    parser.add_argument("--prompt", action="append", required=True)
    parser.add_argument("--model", default=default_model)
    parser.add_argument("--stream", action="store_true")
    options = parser.parse_args()
    options.verify = options.ca if options.ca else True
    return options


def run_shell(command):
    """Runs a command to its end. Its pid and exit code go into the agent's summary."""
    child = subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = child.communicate()
    text = output.decode("utf8", errors="replace")[:MAX_OUTPUT_CHARACTERS]
    return {"command": command, "pid": child.pid, "exitCode": child.returncode, "output": text}


def result_text(result):
    """What the model gets to read."""
    if result["exitCode"] == 0:
        return result["output"]
    return f"{result['output']}exit code {result['exitCode']}"


def print_summary(turns):
    """The last line an agent prints."""
    print(json.dumps({"pid": os.getpid(), "turns": turns}), flush=True)
