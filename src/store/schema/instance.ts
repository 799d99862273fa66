// Instances and their network interfaces. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.
import type { Bit } from './bit.ts';

export interface InstanceTable {
  id: string;
  /** i-N-VM: unique, never given twice. */
  name: string;
  displayname: string;
  hostname: string;
  zone: string;
  account: string;
  domain: string;
  serviceoffering: string;
  template: string;
  /** Where it runs; null while stopped. */
  host: string | null;
  /** Where it ran last, and where its disk is therefore; the same as `host` while it runs. */
  lasthost: string | null;
  /** Stopped, Starting, Running, Migrating, Stopping, Destroyed, Expunging, Error. */
  state: string;
  /** What is wanted: running or stopped. */
  power: string;
  boot: number;
  /** crypt(3) hash for the guest. */
  passwordhash: string;
  /** Sealed; only where the API made it up. */
  password: string | null;
  userdata: string | null;
  /** JSON list of public keys (one line each) that the guest is told at its first boot. */
  keypairs: string | null;
  /** Sealed; until the guest has fetched it. */
  onetimepassword: string | null;
  /** Grows with each password made up, so that what a guest says it has taken is told from an earlier one. */
  passwordturn: number;
  groupname: string | null;
  details: string | null;
  /** The host it is being moved from, until the move is realized. */
  migratefrom: string | null;
  /** When it was destroyed; it is expunged some time after. */
  destroyed: string | null;
  created: string;
}

export interface NicTable {
  id: string;
  instance: string;
  network: string;
  /** Null in a network without addresses. */
  ip: string | null;
  /** What it makes itself of the network's prefix and its MAC (SLAAC); null in a network without IPv6. */
  ip6: string | null;
  /** JSON: further DHCP options that are sent to it, by their code. */
  dhcpoptions: string | null;
  mac: string;
  isdefault: Bit;
  deviceid: number;
  /** Generation at which its place or main address last changed. */
  moved: number;
  created: string;
}

/** A secondary address of a network interface. */
export interface NicAddressTable {
  id: string;
  nic: string;
  ip: string;
  moved: number;
  created: string;
}

export interface SshKeyPairTable {
  id: string;
  name: string;
  /** As a line of authorized_keys. The private half is nowhere. */
  publickey: string;
  fingerprint: string;
  account: string;
  domain: string;
  created: string;
}

export interface AffinityGroupTable {
  id: string;
  name: string;
  description: string;
  type: string;
  account: string;
  domain: string;
  created: string;
}

export interface AffinityMemberTable {
  id: string;
  affinitygroup: string;
  instance: string;
  created: string;
}

/** A disk, as far as it is written down: what is on it is the hypervisor's. */
export interface VolumeTable {
  id: string;
  name: string;
  /** ROOT: comes and goes with its instance; DATA. */
  type: string;
  zone: string;
  /** Bytes. */
  size: number;
  diskoffering: string | null;
  instance: string | null;
  deviceid: number | null;
  attached: string | null;
  account: string;
  domain: string;
  created: string;
}
