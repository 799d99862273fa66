#!/usr/bin/python3
"""Raw packets for tests that must send what no well-behaved guest sends, and see what arrives. Run in a guest's network namespace.

    packets.py listen DEVICE SECONDS   prints "ready", then a line `VLAN HEX` for each frame that comes in (VLAN - without a tag)
    packets.py send DEVICE HEX...      sends frames as they stand
    packets.py fits ADDRESS BYTES      one echo request of that many bytes of IP, not to be fragmented: prints answered, lost, or
                                       too-long where the sender's own card refuses it
"""

import os
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SOL_PACKET = 263  # linux/socket.h
PACKET_AUXDATA = 8  # linux/if_packet.h; the kernel takes tags off frames and tells them beside
TP_STATUS_VLAN_VALID = 1 << 4
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2  # linux/in.h


def listen(device, seconds):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.bind((device, 0))
    print("ready", flush=True)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            break
        frame, beside, _, source = sock.recvmsg(65536, 256)
        if source[2] == socket.PACKET_OUTGOING:
            continue
        vlan = "-"
        for level, kind, data in beside:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, _ = struct.unpack("=IIIHHHH", data[:20])
                if status & TP_STATUS_VLAN_VALID:
                    vlan = str(tci & 0xFFF)
        print(vlan, frame.hex(), flush=True)


def send(device, frames):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((device, 0))
    for frame in frames:
        sock.send(bytes.fromhex(frame))


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def fits(address, size):
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    ident = os.getpid() & 0xFFFF
    data = bytes(size - 28 + (size & 1))[: size - 28]
    padded = data + b"\0" * (len(data) & 1)
    echo = struct.pack("!BBHHH", 8, 0, checksum(struct.pack("!BBHHH", 8, 0, 0, ident, 1) + padded), ident, 1) + data
    try:
        sock.sendto(echo, (address, 0))
    except OSError as error:
        print("too-long" if error.errno == 90 else error)
        return
    until = time.monotonic() + 1
    while (left := until - time.monotonic()) > 0 and select.select([sock], [], [], left)[0]:
        packet = sock.recv(65536)
        body = packet[(packet[0] & 15) * 4 :]
        if body[0] == 0 and struct.unpack("!H", body[4:6])[0] == ident and len(packet) == size:
            print("answered")
            return
    print("lost")


if __name__ == "__main__":
    what, *args = sys.argv[1:]
    if what == "listen":
        listen(args[0], float(args[1]))
    elif what == "send":
        send(args[0], args[1:])
    else:
        fits(args[0], int(args[1]))
