// What a node's document says of gateway helpers: a namespace beside a router that OVN makes, for what OVN cannot do. Apart from
// document.ts because a helper's jobs grow.
import type { BalancerSpec } from './document.ts';
import type { VpnSpec, VpnStatus } from './vpn.ts';

/**
 * The helper of one router. It stands on every node that may carry the router's public side, and is plugged into OVN on the node that
 * does: that node sees it in OVN's southbound database and needs nobody to tell it.
 */
export interface HelperSpec {
  /** Id of the router: the VPC's or the network's. */
  readonly id: string;
  /** The router's name, for reasons: any text. */
  readonly name: string;
  /** Logical switch port to bind: `external_ids:iface-id`. */
  readonly port: string;
  /** The router's port whose place it follows, as OVN calls it. */
  readonly follows: string;
  readonly mac: string;
  /** Its address with the prefix length, and the router's beside it. */
  readonly address: string;
  readonly gateway: string;
  readonly mtu: number;
  readonly jobs: HelperJobs;
}

/** What it does; a helper without any is not there. */
export interface HelperJobs {
  readonly balancers?: readonly ProxySpec[];
  readonly vpns?: readonly VpnJob[];
}

/** A VPN that ends here. */
export interface VpnJob {
  /** The helper's address that OVN translates to and from the VPN's public one. */
  readonly address: string;
  readonly spec: VpnSpec;
}

/** A balancer that is passed on connection by connection. `publicPort` is where OVN took it from, `port` where it listens. */
export interface ProxySpec extends BalancerSpec {
  readonly port: number;
}

/** What there is of a helper on a node. */
export interface HelperStatus {
  readonly id: string;
  /** Whether it is plugged here. */
  readonly active: boolean;
  /** Why it does not do what the document says. */
  readonly error?: string;
  /** Its VPNs, where there are any. */
  readonly vpns?: readonly VpnStatus[];
}
