"""Talks to the endpoint with the Python MCP client, in both eras of the protocol.

The server must have a process called `main`; it is restarted, stopped and started.
"""

import asyncio
import sys

from mcp.client.client import Client

TOOLS = [
    "restart",
    "get_status",
    "search_logs",
    "search_build_log",
    "wait_for",
    "start",
    "stop",
]


async def talk(url: str, mode: str) -> None:
    heard = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with Client(url, mode=mode) as client:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == TOOLS, listed

        # The client checks structured answers against their schemas.
        status = await client.call_tool("get_status", {})
        assert not status.is_error, status
        assert status.structured_content["processes"][0]["name"] == "main", status

        main = {"process": "main"}
        lines = await client.call_tool("search_logs", {**main, "tail": 5})
        assert not lines.is_error, lines
        assert lines.structured_content is None, lines
        assert lines.content[0].text.startswith("main "), lines

        restarted = await client.call_tool("restart", main, progress_callback=hear)
        assert not restarted.is_error, restarted
        assert restarted.structured_content["ok"], restarted

        ready = {**main, "until": "ready"}
        waited = await client.call_tool("wait_for", ready, progress_callback=hear)
        assert not waited.is_error, waited
        assert waited.structured_content["met"], waited

        # A look that finds nothing is no error.
        line = {**main, "until": "log", "pattern": "^nobody prints this$", "timeout_seconds": 0}
        waited = await client.call_tool("wait_for", line)
        assert not waited.is_error, waited
        assert waited.structured_content["reason"] == "time_up", waited

        for tool, outcomes in [("stop", ["stopped"]), ("start", ["started", "running"])]:
            ordered = await client.call_tool(tool, main, progress_callback=hear)
            assert not ordered.is_error, ordered
            assert ordered.structured_content["outcome"] in outcomes, ordered

        wrong = await client.call_tool("restart", {"process": "nobody"})
        assert wrong.is_error and "main" in wrong.content[0].text, wrong
        print(f"{client.protocol_version}: {len(listed.tools)} tools, progress: {heard}")


async def main(url: str) -> None:
    for mode in ["auto", "legacy"]:
        await talk(url, mode)


asyncio.run(main(sys.argv[1]))
