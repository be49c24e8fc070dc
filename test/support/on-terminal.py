"""Runs a program on a pseudo terminal: `on-terminal.py SCRIPT PROGRAM [ARG ...]`, where SCRIPT is JSON, a list of steps:
["wait", TEXT]   until the program has written TEXT since the step before
["type", TEXT]   as a person would
["size", ROWS, COLUMNS]
All that the program wrote goes to stdout, its exit code is this program's; 124 when TEXT never came."""
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

steps = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""

def read(seconds):
    """False at the end."""
    global seen
    if not select.select([terminal], [], [], seconds)[0]:
        return True
    try:
        part = os.read(terminal, 65536)
    except OSError:
        return False
    seen += part
    return part != b""

def fail(why):
    os.kill(pid, signal.SIGKILL)
    sys.stdout.buffer.write(seen)
    sys.stderr.write(why)
    sys.exit(124)

mark = 0
for step in steps:
    if step[0] == "type":
        os.write(terminal, step[1].encode())
    elif step[0] == "size":
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", step[1], step[2], 0, 0))
    else:
        wanted = step[1].encode()
        end = time.monotonic() + 60
        while wanted not in seen[mark:]:
            if time.monotonic() > end or not read(1):
                fail("never seen: " + step[1])
        mark = seen.index(wanted, mark) + len(wanted)
end = time.monotonic() + 60
while read(1):
    if time.monotonic() > end:
        fail("it does not end")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
