// The part of a node's document that says what the node serves in networks, and what its instances are told when they start.

export interface ServicesSpec {
  readonly networks: readonly ServiceSpec[];
  /** Whose names are known to each other: a network's, or those of all tiers of a VPC. */
  readonly scopes: readonly NameScope[];
}

/** What is served in one network, at one address of it, on every node that has a card there. */
export interface ServiceSpec {
  /** Of the network; the logical port is called `svc-ID`. */
  readonly id: string;
  /** The network's name: for reasons. */
  readonly name: string;
  readonly ip: string;
  readonly cidr: string;
  readonly mac: string;
  /** Bytes of an IP packet that fit. */
  readonly mtu: number;
  /** Absent: no names. `scope`: id of a scope; `resolvers`: whom everything else is asked of. */
  readonly dns?: { readonly scope: string; readonly resolvers: readonly string[] };
  /** Whether metadata, user data and passwords are served. */
  readonly userData: boolean;
  /** Who has which address, of the instances of this node. */
  readonly cards: readonly { readonly ip: string; readonly instance: string }[];
}

export interface NameScope {
  readonly id: string;
  readonly networks: readonly NamedNetwork[];
}

export interface NamedNetwork {
  readonly id: string;
  /** Empty: names stand alone. */
  readonly domain: string;
  readonly gateway?: string;
  /** Address of what is served in it. */
  readonly service?: string;
  /** An instance has one of the two addresses, or both. */
  readonly hosts: readonly { readonly name: string; readonly ip?: string; readonly ip6?: string }[];
}

/** What a guest is told when it starts. */
export interface FirstBootSpec {
  /** Where it finds it: at the service address of its default network, on a disk, or only what its hypervisor gives it by itself. */
  readonly toldBy: 'service' | 'drive' | 'hypervisor';
  readonly zone: string;
  readonly offering: string;
  /** Lines of authorized_keys. */
  readonly publicKeys: readonly string[];
  /** Base64. */
  readonly userData?: string;
  /** Its password was made up for it, and it is to ask for it. */
  readonly asksPassword?: true;
  /** Until it has been taken; `turn` grows with each new one. */
  readonly password?: { readonly turn: number; readonly text: string };
  /** Address under which the outside knows it. */
  readonly publicIp?: string;
}

export interface TakenReport {
  readonly instance: string;
  readonly turn: number;
}
