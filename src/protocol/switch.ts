// What a switch must carry, what it said of itself, and what came of the last attempt. Apart from the node documents because no
// program of ours runs on a switch: the server's drivers speak to it.

export type SwitchDriverName = 'ovsdb' | 'linux' | 'netconf' | 'instructions';

/** What one switch must make true. */
export interface SwitchDocument {
  readonly id: string;
  readonly name: string;
  /** Generation of the intent at which this document last changed. */
  readonly generation: number;
  readonly driver: SwitchDriverName;
  /** What the driver connects to. */
  readonly address: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Unsealed; never logged. */
  readonly secret?: Readonly<Record<string, string>>;
  readonly nativeVlan: number;
  /** Driver `instructions`: changes up to this generation were confirmed by the network team. */
  readonly confirmed: number;
  readonly ports: readonly PortSpec[];
}

export interface PortSpec {
  readonly name: string;
  /** `check`: never written, only compared. */
  readonly mode: 'set' | 'check';
  /** Who is behind it: `hypervisor h1`, `router r1`, `device fileserver`, `other switches`, `nobody`. The first word says which kind. */
  readonly behind: string;
  /** VLAN of untagged frames; absent: the native one, or on a `trunk` whatever it is. */
  readonly untagged?: number;
  readonly tagged: readonly number[];
  /**
   * The cable of a node, or to other switches: it must carry `tagged`, and `retired` (VLANs we once put there) must go. Everything else of
   * it is somebody else's: its untagged VLAN (the node's own traffic) and its other VLANs stay as they are; `all` lacks nothing.
   * Absent: the port is ours as a whole.
   */
  readonly trunk?: { readonly retired: readonly number[] };
  /** VLAN -> names of the networks that need it here. */
  readonly because: Readonly<Record<number, string>>;
}

/** What a switch says of itself. */
export interface SwitchActual {
  readonly ports: readonly PortActual[];
  /** LLDP, where the switch speaks it. */
  readonly neighbours: readonly { readonly port: string; readonly system: string; readonly remotePort: string }[];
  readonly macs: readonly { readonly port: string; readonly vlan: number; readonly mac: string }[];
}

export interface PortActual {
  readonly name: string;
  readonly up?: boolean;
  /** VLAN of untagged frames; 0: they stay without any (Open vSwitch); absent: there is none, such frames are dropped. */
  readonly untagged?: number;
  /** `all`: a trunk that carries every VLAN. */
  readonly tagged: readonly number[] | 'all';
  /** VLANs that go in tagged and out untagged, or the other way round: never what anybody wants. */
  readonly mixed?: readonly number[];
}

/** A change of one port, as an engineer would type it there, with the reason. */
export interface SwitchStep {
  readonly port: string;
  /** Printed in dry runs and logs; drivers that run programs run these words. */
  readonly argv: readonly string[];
  readonly reason: string;
}

/** What came of looking at a switch. */
export interface SwitchReport {
  readonly id: string;
  readonly name: string;
  /** The document's generation when it is true there now; 0 (or what was confirmed) while it is not: keep the last one then. */
  readonly generation: number;
  /** The first thing wrong: the target and what it waits for. */
  readonly error?: string;
  /** Missing VLANs, ports somebody changed: sentences that name switch, port, VLAN and network. */
  readonly findings: readonly SwitchFinding[];
  readonly actual?: SwitchActual;
  /** Driver `instructions`: the lines for the network team that are not confirmed yet. */
  readonly lines?: readonly string[];
}

/**
 * `missing`: a wanted VLAN that is not there. `changed`: another setting than ours, put right or not, as the text says: news only if
 * the document's generation was true there before. `unknown-port`: the switch has no such port.
 */
export interface SwitchFinding {
  readonly port: string;
  readonly kind: 'missing' | 'changed' | 'unknown-port';
  /** The VLAN it is about, where it is about one. */
  readonly vlan?: number;
  readonly text: string;
}
