// What the doctor knows of a machine before it judges: plain data, so that every judgement can be tested without that machine.

export type Role = 'server' | 'hypervisor' | 'gateway' | 'witness' | 'router';

/** A try: it worked, or what was said instead. */
export type Tried = true | string;

export interface Facts {
  readonly root: boolean;
  /** `debian 12`, as os-release(5) says it. */
  readonly system: string;
  readonly kernel: string;
  /** Version of the Node that runs this. */
  readonly node: string;
  /** Program -> first line of what it says of its version; undefined: not there. */
  readonly programs: Readonly<Record<string, string | undefined>>;
  /** Kernel feature -> whether it could be used just now. */
  readonly features: Readonly<Record<Feature, Tried>>;
  /** Open vSwitch as its own database describes it; undefined: no database answers. */
  readonly ovs?: {
    readonly version: string;
    readonly bridges: readonly string[];
    /** `external_ids` of the Open_vSwitch row. */
    readonly settings: Readonly<Record<string, string>>;
  };
  /** Whether the southbound database named by `ovn-remote` accepts a connection. */
  readonly southbound?: Tried;
  /** MTU of the interface that carries the tunnels' address; undefined: no such interface. */
  readonly underlayMtu?: number;
  /** `/dev/kvm` is there. */
  readonly kvm: boolean;
  /** What the machine runs on, as systemd-detect-virt says; `none`: on bare metal. */
  readonly virtualization: string;
  /** Whether the clock is kept by somebody; undefined: nobody could be asked. */
  readonly clockSynchronized?: boolean;
}

export const FEATURES = [
  'namespaces',
  'vlan',
  'bridge-vlan',
  'ipvs',
  'nftables',
  'conntrack',
  'vrf',
  'wireguard',
  'openvswitch',
] as const;
export type Feature = (typeof FEATURES)[number];
