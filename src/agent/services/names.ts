// How what belongs to a served network is called on its node: names follow from ids.
import { createHash } from 'node:crypto';

export interface ServiceContext {
  readonly node: string;
  /** The responder's folder: what it is told, what it says, our notes. */
  readonly directory: string;
  /** `unix:PATH` of the node's OVS database. */
  readonly database: string;
  /** Whether Open vSwitch forwards in user space, where checksums must be real. */
  readonly userspace: boolean;
  /** Argv that starts the responder. */
  readonly responder: readonly string[];
}

/** Marks our ports in OVS: external_ids of the interface. */
export const OWNER = 'trunkline-services';

/** Where guests of any cloud look for metadata. */
export const METADATA = '169.254.169.254';

/** Nodes may share a machine, so the node is in the name. */
export function netnsOf(networkId: string, node: string): string {
  return `s-${createHash('sha1').update(`${node}/${networkId}`).digest('hex').slice(0, 10)}`;
}

/** Name of the cable's end on the node's side: 13 characters of the 15 allowed. */
export function portOf(networkId: string): string {
  return `s${networkId.replaceAll('-', '').slice(0, 12)}`;
}

export function peerOf(port: string): string {
  return `q${port.slice(1)}`;
}

/** OVN's name of the logical port. */
export function logicalPort(networkId: string): string {
  return `svc-${networkId}`;
}

export function noteFile(directory: string, networkId: string): string {
  return `${directory}/network.${networkId}.json`;
}
