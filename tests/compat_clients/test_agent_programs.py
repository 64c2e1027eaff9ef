"""Coding agents as programs: each runs a task of several steps with its own tools.

The model is a script. They are too large for the development set: each is skipped where it isn't installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.compat_clients.conftest import CompatServer

DEADLINE = 300.0  # seconds
DONE = "All done: the file says hello."
TASK = "Write hello into out.txt and read it"
WRITE = "echo hello > out.txt"
EDIT = "out.txt\n```\n<<<<<<< SEARCH\n=======\nhello\n>>>>>>> REPLACE\n```\n"
# Nothing beyond this machine is reached: these programs look for updates and report what they do.
OFFLINE = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1", "DO_NOT_TRACK": "1"}
CODEX = """
model_provider = "grantha"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[analytics]
enabled = false
[model_providers.grantha]
name = "Grantha"
base_url = "{url}/v1"
wire_api = "responses"
"""
QWEN: dict[str, Any] = {
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"disableAutoUpdate": True},
    "security": {"auth": {"selectedType": "openai"}},
}
OPENCODE: dict[str, Any] = {
    "autoupdate": False,
    "share": "disabled",
    "small_model": "grantha/scripted/hello",
    "permission": {"bash": "allow", "edit": "allow"},
    "provider": {"grantha": {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": "{url}/v1", "apiKey": "any"},
        "models": {"{model}": {}, "scripted/hello": {}},
    }},
}  # fmt: skip
CONTINUE: dict[str, Any] = {
    "name": "Grantha", "version": "0.0.1", "schema": "v1",
    "models": [{
        "name": "grantha", "provider": "openai", "model": "{model}", "apiBase": "{url}/v1",
        "apiKey": "any", "roles": ["chat"], "capabilities": ["tool_use"],
    }],
}  # fmt: skip


@dataclass(frozen=True)
class Agent:
    """A program: what brings it, the tools that it is to call, how it is run, and what it reads before.

    `{url}`, `{model}` and `{folder}` stand for the server, the scripted model and the work folder.
    """

    package: str
    command: list[str]
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    text: str = DONE  # the last reply
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)  # a command that is run before


AGENTS = {
    "codex": Agent(
        "@openai/codex",
        ["codex", "exec", "--skip-git-repo-check", "-m", "{model}", TASK],
        [("exec_command", {"cmd": WRITE}), ("exec_command", {"cmd": "cat out.txt"})],
        files={".codex/config.toml": CODEX},
    ),
    "claude": Agent(
        "@anthropic-ai/claude-code",
        ["claude", "-p", TASK, "--allowedTools", "Bash,Read"],
        [("Bash", {"command": WRITE}), ("Read", {"file_path": "{folder}/out.txt"})],
        variables={
            "ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_AUTH_TOKEN": "any",
            "ANTHROPIC_MODEL": "{model}", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "scripted/hello",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    ),
    "qwen": Agent(
        "@qwen-code/qwen-code",
        ["qwen", "-p", TASK, "--yolo"],
        [
            ("run_shell_command", {"command": WRITE, "is_background": False}),
            ("read_file", {"file_path": "{folder}/out.txt"}),
        ],
        variables={
            "OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "any", "OPENAI_MODEL": "{model}",
        },
        files={".qwen/settings.json": json.dumps(QWEN)},
    ),
    "opencode": Agent(
        "opencode-ai",
        ["opencode", "run", "-m", "grantha/{model}", TASK],
        [
            ("bash", {"command": WRITE, "description": "Writes"}),
            ("read", {"filePath": "{folder}/out.txt"}),
        ],
        variables={"OPENCODE_DISABLE_MODELS_FETCH": "1"},
        files={"opencode.json": json.dumps(OPENCODE)},
    ),
    "cn": Agent(
        "@continuedev/cli",
        ["cn", "-p", "--auto", "--config", "config.yaml", TASK],
        [("Bash", {"command": WRITE}), ("Read", {"filepath": "{folder}/out.txt"})],
        variables={"CONTINUE_CLI_ENABLE_TELEMETRY": "0"},
        files={"config.yaml": json.dumps(CONTINUE)},
    ),
    "cline": Agent(
        "cline",
        ["cline", "-P", "openai", "-m", "{model}", TASK],
        [
            ("run_commands", {"commands": [WRITE]}),
            ("read_files", {"files": [{"path": "{folder}/out.txt"}]}),
        ],
        first=["cline", "auth", "-p", "openai", "-k", "any", "-m", "{model}", "-b", "{url}/v1"],
    ),
    "aider": Agent(
        "aider-chat",
        [
            *("aider", "--model", "openai/{model}", "--openai-api-base", "{url}/v1"),
            *("--openai-api-key", "any", "--yes-always", "--no-analytics", "--no-check-update"),
            *("--no-show-model-warnings", "--no-git", "--edit-format", "diff", "--no-pretty"),
            *("--message", TASK, "out.txt"),
        ],
        text=f"{DONE}\n\n{EDIT}",
    ),
}  # fmt: skip


def run(command: list[str], folder: Path, variables: dict[str, str]) -> str:
    """What a program prints, run to its end in a home folder of its own."""
    own = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**OFFLINE, **own, **variables},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.client("Codex CLI", "streams", "tools")
@pytest.mark.client("Claude Code", "streams", "tools")
@pytest.mark.client("qwen-code", "streams", "tools")
@pytest.mark.client("OpenCode", "streams", "tools")
@pytest.mark.client("Continue CLI", "streams", "tools")
@pytest.mark.client("Cline", "streams", "tools")
@pytest.mark.client("aider", "streams")
@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.skipif(
        shutil.which(name) is None, reason=f"{name} isn't installed: it is in {agent.package}"
    ))
    for name, agent in AGENTS.items()
])  # fmt: skip
def test_an_agent_runs_a_task_of_several_steps(
    name: str, compat_server: CompatServer, tmp_path: Path
) -> None:
    agent = AGENTS[name]
    attempts = [
        {"steps": [{"text": "A step. "}, {"tool": tool, "arguments": arguments}]}
        for tool, arguments in agent.calls
    ]
    script = json.dumps({"attempts": [*attempts, {"steps": [{"text": agent.text}]}]})
    model = compat_server.script(
        f"agent-{name}", json.loads(script.replace("{folder}", str(tmp_path)))
    )

    def filled(text: str) -> str:
        return text.replace("{url}", compat_server.url).replace("{model}", model)

    for path, content in agent.files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(filled(content))
    variables = {key: filled(value) for key, value in agent.variables.items()}
    if agent.first:
        run(list(map(filled, agent.first)), tmp_path, variables)
    assert DONE in run(list(map(filled, agent.command)), tmp_path, variables)
    assert (tmp_path / "out.txt").read_text() == "hello\n"
