// Physical switches and what their ports must carry. Part of the intent (intent.ts).

/** A VLAN that a switch port must carry, and the networks on whose account. */
export interface PortVlan {
  readonly vlan: number;
  /** Names of the networks, for reasons and findings. */
  readonly networks: readonly string[];
}

/** `set`: its VLANs are ours to write. `check`: somebody else's, read and compared. Ports that are neither are not in the intent. */
export interface SwitchPort {
  readonly id: string;
  readonly name: string;
  readonly mode: 'set' | 'check';
  /** Who is behind it, for reasons: `hypervisor h1`, `device fileserver`, `other switches`. */
  readonly behind: string;
  /** The cable of a node, or to other switches: only the VLANs of our networks are ours there, not its untagged one. */
  readonly trunk: boolean;
  /** VLAN of untagged frames; absent: the switch's native VLAN. */
  readonly untagged?: PortVlan;
  readonly tagged: readonly PortVlan[];
}

export interface Switch {
  readonly id: string;
  readonly name: string;
  readonly driver: 'ovsdb' | 'linux' | 'netconf' | 'instructions';
  readonly address: string;
  /** JSON text, as the driver understands it. */
  readonly options: string;
  /** Sealed JSON text. */
  readonly secret?: string;
  readonly nativeVlan: number;
  /** false: it is only looked at. */
  readonly apply: boolean;
  /** Driver `instructions`: the generation that the network team has confirmed. */
  readonly confirmed: number;
  readonly ports: readonly SwitchPort[];
}
