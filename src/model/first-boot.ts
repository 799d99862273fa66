// What an instance is told when it starts, and by whom: names, user data, keys and passwords that the nodes serve in a network, or a
// disk where there is no such service. Part of the intent (intent.ts).

/** What the hypervisors serve in a network at an address of its own; the same on each of them. */
export interface NetworkService {
  readonly ip: string;
  /** Names of the network's instances, and of everybody's by asking `resolvers`. */
  readonly dns: boolean;
  /** Metadata, user data, keys and passwords. */
  readonly userData: boolean;
  /** The zone's. */
  readonly resolvers: readonly string[];
}

/** Where a guest finds what it is told: at its default network's service address, on a disk, or nowhere but what its hypervisor gives it. */
export type ToldBy = 'service' | 'drive' | 'hypervisor';

export interface FirstBoot {
  readonly toldBy: ToldBy;
  readonly zone: string;
  readonly offering: string;
  /** Lines of authorized_keys. */
  readonly publicKeys: readonly string[];
  /** Base64. */
  readonly userData?: string;
  /** Its password was made up for it, and it is to ask for it; else the one its image has is. */
  readonly asksPassword?: true;
  /** Until the guest has taken it; sealed. `turn` grows with each new one. */
  readonly password?: { readonly turn: number; readonly sealed: string };
}
