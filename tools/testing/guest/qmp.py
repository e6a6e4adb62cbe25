# SPDX-License-Identifier: GPL-2.0
"""One command to the QEMU of a guest.

    qmp.py SOCKET COMMAND [EVENT]

COMMAND is JSON; its result is printed. With EVENT, waits until that event has
come, which may be before the result; NAME=STATUS is one with that status. Exit
status 1 for an error, or when QEMU says nothing for a minute.
"""

import json
import socket
import sys


def main() -> int:
    """Runs the command line."""
    path, command, *event = sys.argv[1:]
    waited = set(event)
    result = None
    with socket.socket(socket.AF_UNIX) as qemu:
        qemu.settimeout(60)
        qemu.connect(path)
        lines = qemu.makefile("rw", encoding="utf-8")

        def send(text: str) -> None:
            lines.write(text + "\n")
            lines.flush()

        lines.readline()
        send('{"execute": "qmp_capabilities"}')
        json.loads(lines.readline())
        send(json.dumps(json.loads(command)))
        while result is None or waited:
            line = lines.readline()
            if not line:
                print("QEMU is gone")
                return 1
            message = json.loads(line)
            if "error" in message:
                print(message["error"]["desc"])
                return 1
            if "return" in message:
                result = message["return"]
            if "event" in message:
                status = message.get("data", {}).get("status")
                waited -= {message["event"], f"{message['event']}={status}"}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        print(error)
        sys.exit(1)
