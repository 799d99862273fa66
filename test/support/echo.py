# Servers that say who they are and whom they see, and clients that ask them: what tests of translated addresses need of both ends.
import select
import socket
import sys
import threading
import time


def serve(name, ports):
    """Answers on TCP and UDP: "NAME PEER PORT", then whatever it is sent."""
    sockets = []
    for port in ports:
        tcp = socket.socket()
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("0.0.0.0", port))
        tcp.listen(64)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("0.0.0.0", port))
        sockets += [(accept, name, tcp, port), (reply, name, datagrams, port)]
    print("ready", flush=True)
    for act, *words in sockets:
        threading.Thread(target=act, args=words).start()


def accept(name, tcp, port):
    """A thread for each connection: a client that went away with its window closed must not keep the others waiting."""
    while True:
        connection, peer = tcp.accept()
        threading.Thread(target=give_back, args=(connection, f"{name} {peer[0]} {port}\n".encode())).start()


def give_back(connection, first):
    try:
        connection.sendall(first)
        while data := connection.recv(65536):
            connection.sendall(data)
    except OSError:
        pass
    finally:
        connection.close()


def reply(name, datagrams, port):
    while True:
        _, peer = datagrams.recvfrom(2048)
        try:
            datagrams.sendto(f"{name} {peer[0]} {port}\n".encode(), peer)
        except OSError:
            pass


def ask(host, port, protocol):
    """Prints what the server says first; "nothing" when it says nothing in time: a lost SYN is sent again after a second."""
    try:
        if protocol == "udp":
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            client.settimeout(2)
            client.sendto(b"who", (host, port))
            print(client.recv(2048).decode().strip())
            return
        client = socket.create_connection((host, port), 2)
        print(client.makefile().readline().strip())
    except OSError as error:
        print(f"nothing: {error}")


def hold(host, port, source):
    """Keeps a connection, and prints "alive" each time it got back what it sent, "dead" when it did not within 0.3 s."""
    client = socket.create_connection((host, port), 2, ("", source))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.settimeout(0.3)
    print(client.recv(2048).decode().strip(), flush=True)
    print("ready", flush=True)
    while True:
        try:
            client.sendall(b"x")
            print("alive" if client.recv(2048) else "closed", flush=True)
        except TimeoutError:
            print("dead", flush=True)
        except OSError as error:
            print(f"closed {error}", flush=True)
            return
        time.sleep(0.02)


def stream(host, port, seconds):
    """Sends and reads back as much as it can, and prints bytes a second."""
    client = socket.create_connection((host, port), 2)
    client.recv(2048)
    client.setblocking(False)
    block, sent, got, end = b"x" * 65536, 0, 0, time.monotonic() + seconds
    begun = time.monotonic()
    while time.monotonic() < end:
        readable, writable, _ = select.select([client], [client], [], 0.1)
        if readable:
            got += len(client.recv(1 << 20))
        if writable:
            sent += client.send(block)
    print(int(got / (time.monotonic() - begun)), flush=True)


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "serve":
        serve(words[0], [int(port) for port in words[1:]])
    elif what == "ask":
        ask(words[0], int(words[1]), words[2])
    elif what == "hold":
        hold(words[0], int(words[1]), int(words[2]))
    elif what == "stream":
        stream(words[0], int(words[1]), float(words[2]))
