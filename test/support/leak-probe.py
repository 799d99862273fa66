#!/usr/bin/python3
"""Marked packets from a guest to everybody, and an ear for those of others. Run in a guest's network namespace; see leak-probe.ts.

    leak-probe.py CELL NAME INTERVAL_MS PORT ADDRESS,… MAC,…

Sends UDP to each address through the kernel, and frames of its own to each MAC, which no switch of its network can know. Prints a line
`leak CELL NAME HEX` at once for each packet of another cell, and every 200 ms `heard {"NAME": count}` of its own.
"""

import json
import re
import socket
import struct
import sys
import time

ETH_P_ALL = 3
MARK = re.compile(rb"~cell (\S+) from (\S+)~")


def udp_frame(to, source, address, target, port, data):
    datagram = struct.pack("!HHHH", port, port, 8 + len(data), 0) + data
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1, 0x4000, 64, 17, 0, address, target)
    total = sum(struct.unpack("!10H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    header = header[:10] + struct.pack("!H", ~total & 0xFFFF) + header[12:]
    return bytes.fromhex(to.replace(":", "")) + source + b"\x08\x00" + header + datagram


def main(cell, name, interval, port, addresses, macs):
    port, interval = int(port), int(interval) / 1000
    addresses, macs = addresses.split(","), [mac for mac in macs.split(",") if mac]
    data = b"~cell %s from %s~" % (cell.encode(), name.encode())
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    raw.bind(("eth0", 0))
    own = raw.getsockname()[4]
    plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    plain.bind(("", port))
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asking.connect(("192.0.2.250", 9))
    address = socket.inet_aton(asking.getsockname()[0])
    frames = [udp_frame(mac, own, address, socket.inet_aton(target), port, data) for mac in macs for target in addresses[:1]]
    frames.append(udp_frame("ff:ff:ff:ff:ff:ff", own, address, socket.inet_aton("255.255.255.255"), port, data))
    heard, send_at, tell_at = {}, 0.0, 0.0
    while True:
        now = time.monotonic()
        if now >= send_at:
            send_at = now + interval
            for target in addresses:
                try:
                    plain.sendto(data, (target, port))
                except OSError:
                    pass  # no way there, for now
            for frame in frames:
                raw.send(frame)
            try:
                while True:
                    plain.recv(2048, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass
        if now >= tell_at:
            tell_at = now + 0.2
            print("heard", json.dumps(heard), flush=True)
        raw.settimeout(max(0.001, min(send_at, tell_at) - time.monotonic()))
        try:
            frame, source = raw.recvfrom(65536)
        except (socket.timeout, TimeoutError):
            continue
        if source[2] == socket.PACKET_OUTGOING:
            continue
        for other, sender in MARK.findall(frame):
            other, sender = other.decode(), sender.decode()
            if other != cell:
                print("leak", other, sender, frame.hex(), flush=True)
            else:
                heard[sender] = heard.get(sender, 0) + 1


main(*sys.argv[1:])
