#!/usr/bin/python3
"""Both ends of connections for tests of what is balanced: a server that says who it is, and clients that say whom they reached.

    peers.py serve NAME PORT            TCP and UDP: each line or datagram is answered with `NAME CLIENT LINE`; HTTP is answered with the
                                        same, /health with what /sick and /well said last. Prints "ready".
    peers.py ask ADDRESS PORT COUNT     one connection after the other, a line each: prints an answer, or refused, reset, silent
    peers.py udp ADDRESS PORT COUNT     one datagram after the other, each from another port
    peers.py web ADDRESS PORT COUNT     one request after the other, with the cookies that were set: prints the answer's text
    peers.py path ADDRESS PORT PATH     one request, prints the answer's text
    peers.py hold ADDRESS PORT COUNT    so many connections that stay open, a line each every 50 ms: prints "open" and who answers once all are, and
                                        when standard input ends for each how many lines came back, or why it was lost
    peers.py rate ADDRESS PORT SECONDS  prints connections per second, one after the other
    peers.py gap ADDRESS PORT SECONDS   a new connection every 50 ms: prints "open", and after the first that is answered of those begun when
                                        standard input has ended, or so many seconds later, the longest time in ms without an answer
    peers.py stream ADDRESS PORT SECONDS  prints Mbit/s that a server sends
"""

import os
import re
import socket
import sys
import threading
import time

healthy = True


def serve(name, port):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("0.0.0.0", port))
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind(("0.0.0.0", port))
    tcp.listen(256)
    threading.Thread(target=datagrams, args=(udp, name), daemon=True).start()
    print("ready", flush=True)
    while True:
        connection, client = tcp.accept()
        threading.Thread(target=answer, args=(connection, client[0], name), daemon=True).start()


def datagrams(udp, name):
    while True:
        data, client = udp.recvfrom(2048)
        udp.sendto(b"%s %s %s" % (name.encode(), client[0].encode(), data), client)


def answer(connection, client, name):
    global healthy
    told = ""
    try:
        with connection, connection.makefile("rwb") as lines:
            while line := lines.readline():
                text = line.decode("latin1").strip()
                if text.startswith("PROXY "):
                    told = text.split()[2]
                    continue
                if text == "stream":
                    while True:
                        connection.sendall(bytes(65536))
                if not re.match(r"(GET|OPTIONS|HEAD) ", text):
                    lines.write(f"{name} {told or client} {text}\n".encode())
                    lines.flush()
                    continue
                path = text.split()[1]
                headers = {}
                while (header := lines.readline().decode("latin1").strip()) != "":
                    key, value = header.split(":", 1)
                    headers[key.strip().lower()] = value.strip()
                if path == "/sick":
                    healthy = False
                if path == "/well":
                    healthy = True
                status = "503 Sick" if path == "/health" and not healthy else "200 OK"
                body = f"{name} {headers.get('x-forwarded-for', told or client)} {path}\n"
                session = "" if "JSESSIONID" in headers.get("cookie", "") else f"Set-Cookie: JSESSIONID={name}-{os.urandom(4).hex()}\r\n"
                lines.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{session}\r\n{body}".encode())
                lines.flush()
                if headers.get("connection") == "close":
                    return
    except OSError:
        pass


def connect(address, port):
    return socket.create_connection((address, port), 2)


def say(address, port, text="hi"):
    try:
        with connect(address, port) as connection:
            connection.sendall(text.encode() + b"\n")
            return connection.recv(4096).decode("latin1").strip() or "reset"
    except ConnectionRefusedError:
        return "refused"
    except ConnectionResetError:
        return "reset"
    except (socket.timeout, OSError):
        return "silent"


def udp(address, port, count):
    for _ in range(count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            try:
                sock.sendto(b"hi", (address, port))
                print(sock.recv(2048).decode("latin1"), flush=True)
            except OSError as error:
                print("refused" if isinstance(error, ConnectionRefusedError) else "silent", flush=True)


def request(address, port, path, cookies):
    try:
        with connect(address, port) as connection:
            said = "".join(f"; {key}={value}" for key, value in cookies.items())[2:]
            cookie = f"Cookie: {said}\r\n" if said else ""
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{cookie}\r\n".encode())
            whole = b""
            while part := connection.recv(4096):
                whole += part
    except OSError as error:
        return "refused" if isinstance(error, ConnectionRefusedError) else "silent"
    head, _, body = whole.decode("latin1").partition("\r\n\r\n")
    for key, value in re.findall(r"(?im)^set-cookie: *([^=]+)=([^;\r]*)", head):
        cookies[key] = value
    return body.strip() if head.startswith("HTTP/1.1 200") else head.split("\r\n")[0]


def when_told():
    """An event that is set when standard input ends."""
    told = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), told.set()), daemon=True).start()
    return told


def hold(address, port, count):
    over = when_told()
    result = ["0"] * count
    names = [""] * count
    opened = threading.Semaphore(0)

    def one(index):
        try:
            with connect(address, port) as connection, connection.makefile("rwb") as lines:
                connection.settimeout(10)
                heard = 0
                while heard == 0 or not over.is_set():
                    lines.write(b"still\n")
                    lines.flush()
                    line = lines.readline()
                    if not line:
                        raise ConnectionResetError()
                    heard += 1
                    if heard == 1:
                        names[index] = line.split()[0].decode()
                        opened.release()
                    time.sleep(0.05)
                result[index] = str(heard)
        except OSError as error:
            result[index] = f"lost: {error or type(error).__name__}"
            opened.release()

    threads = [threading.Thread(target=one, args=(index,)) for index in range(count)]
    # One after the other: of two that come at once, two threads of a balancer choose at once.
    for thread in threads:
        thread.start()
        opened.acquire()
    print("open " + " ".join(names), flush=True)
    for thread in threads:
        thread.join()
    for name, heard in zip(names, result):
        print(name, heard, flush=True)


def rate(address, port, seconds):
    until = time.monotonic() + seconds
    done = 0
    while time.monotonic() < until:
        done += say(address, port) not in ("refused", "reset", "silent")
    print(done / seconds, flush=True)


def gap(address, port, seconds):
    over = when_told()
    answered = []
    back = threading.Event()

    def one():
        late = over.is_set()
        try:
            with socket.create_connection((address, port), 0.9) as connection:
                connection.sendall(b"hi\n")
                if connection.recv(100):
                    answered.append(time.monotonic())
                    if late:
                        back.set()
        except OSError:
            pass

    began = time.monotonic()
    until = None
    print("open", flush=True)
    while not back.is_set() and (until is None or time.monotonic() < until):
        threading.Thread(target=one, daemon=True).start()
        time.sleep(0.05)
        if until is None and over.is_set():
            until = time.monotonic() + seconds
    times = sorted([began, *answered, time.monotonic()])
    print(round(max(b - a for a, b in zip(times, times[1:])) * 1000), flush=True)


def stream(address, port, seconds):
    with connect(address, port) as connection:
        connection.sendall(b"stream\n")
        until = time.monotonic() + seconds
        total = 0
        began = time.monotonic()
        while time.monotonic() < until:
            total += len(connection.recv(65536))
        print(total * 8 / (time.monotonic() - began) / 1e6, flush=True)


def main(kind, *rest):
    if kind == "serve":
        return serve(rest[0], int(rest[1]))
    address, port, *more = rest
    port = int(port)
    if kind == "ask":
        for _ in range(int(more[0])):
            print(say(address, port), flush=True)
    elif kind == "udp":
        udp(address, port, int(more[0]))
    elif kind == "web":
        cookies = {}
        for _ in range(int(more[0])):
            print(request(address, port, "/", cookies), flush=True)
    elif kind == "path":
        print(request(address, port, more[0], {}), flush=True)
    elif kind == "hold":
        hold(address, port, int(more[0]))
    elif kind == "gap":
        gap(address, port, float(more[0]))
    elif kind == "rate":
        rate(address, port, float(more[0]))
    elif kind == "stream":
        stream(address, port, float(more[0]))


main(*sys.argv[1:])
