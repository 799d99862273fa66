// Switches, their ports, and machines that are not ours to start or stop. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.
import type { Bit } from './bit.ts';

/**
 * A physical switch. `driver`: ovsdb, linux, netconf, instructions. `address` is what the driver connects to; `options` is JSON of what
 * that driver needs besides (bridge, user, host key, dialect); `secret` is sealed JSON (password, private key).
 */
export interface SwitchTable {
  id: string;
  zone: string;
  physicalnetwork: string;
  name: string;
  driver: string;
  address: string;
  options: string;
  secret: string | null;
  /** The VLAN of untagged frames on ports nobody has attached: never a network's. */
  nativevlan: number;
  /** 0: it is only looked at, and what would be changed is shown. */
  apply: Bit;
  /** Connecting, Up, Down. */
  state: string;
  /** The first thing wrong with it. */
  error: string | null;
  /** JSON SwitchActual: what it said of itself the last time it was read. */
  actual: string | null;
  /** JSON [{ port, kind, vlan?, text, since }]: what is or was not as wanted. */
  findings: string | null;
  /** JSON: lines that somebody else has to type, or that would be run if `apply` were 1. */
  planned: string | null;
  /** Hash of what its document asks for, and the generation since which it asks for that: kept over restarts. */
  digest: string | null;
  documented: number;
  /** Generation of the last document that was true there. */
  reached: number;
  /** Driver instructions: the generation the network team has confirmed. */
  confirmed: number;
  lastseen: string | null;
  created: string;
}

/**
 * A port of a switch. `role`: access (may be granted and attached), hypervisor, gateway or router (the cable of `host`; of a
 * router, its inside interface), uplink (to other switches: only compared), management (never looked at). `managed`: whether we set its VLANs; 0: they are only compared and what is missing is told.
 * Granted to `domain` and those below it, or to one `account` of it.
 */
export interface SwitchPortTable {
  id: string;
  switch: string;
  name: string;
  role: string;
  host: string | null;
  managed: Bit;
  domain: string | null;
  account: string | null;
  /** JSON list of the VLANs that we put on a trunk: those, and no others, are ours to take off again. */
  carried: string | null;
  created: string;
}

/** A machine that is not ours to start or stop. `kind`: server, router, vpn, other. `switchport`: where it is plugged in. */
export interface DeviceTable {
  id: string;
  name: string;
  kind: string;
  mac: string | null;
  switchport: string | null;
  account: string;
  domain: string;
  created: string;
}

/** A device in a network, by way of a switch port. */
export interface MemberTable {
  id: string;
  network: string;
  device: string;
  switchport: string;
  /** Reserved for it; null in a network without addresses. */
  ip: string | null;
  /** As the device was registered with, or as the switch sees it. */
  mac: string | null;
  tagged: Bit;
  /** Whether the network's gateway address is this member's. */
  isgateway: Bit;
  /** Attaching, Attached, Waiting (for the network team), Detaching (its port is being freed; the address is still reserved). */
  state: string;
  /** Generation at which its place or address last changed. */
  moved: number;
  account: string;
  domain: string;
  created: string;
}
