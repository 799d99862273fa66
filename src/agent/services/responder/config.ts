// What the responder is told: a file that the agent writes, whole each time. And what it says of itself, in a file the agent reads.
import type { FirstBootSpec, NameScope, ServiceSpec } from '../../../protocol/services.ts';

export interface ResponderConfig {
  readonly networks: readonly ServedNetwork[];
  readonly scopes: readonly NameScope[];
  /** The instances of this node that are told something. */
  readonly guests: readonly Omit<GuestSpec, 'domain'>[];
}

export interface ServedNetwork extends Pick<ServiceSpec, 'id' | 'ip' | 'cidr' | 'dns' | 'userData' | 'cards'> {
  /** Name of the network namespace where the address is. */
  readonly netns: string;
  /** When the namespace was made (milliseconds since 1970): sockets in an earlier one of the name are worth nothing. */
  readonly made: number;
  readonly domain: string;
}

export interface GuestSpec {
  readonly id: string;
  readonly hostname: string;
  /** Of the network it asks from. */
  readonly domain: string;
  readonly firstBoot: FirstBootSpec;
}

export interface ResponderStatus {
  readonly pid: number;
  /** Digest of the configuration that is in force. */
  readonly config: string;
  /** Networks that are answered, by id. */
  readonly open: readonly string[];
  /** What went wrong, by network. */
  readonly errors: Readonly<Record<string, string>>;
}

/** Files in the responder's folder. */
export const FILES = { config: 'services.json', taken: 'taken' } as const;

export function statusFile(pid: number): string {
  return `status.${pid}.json`;
}

/** Note of a password that was taken: a file of this name, so that two responders agree and nothing is lost with either. */
export function takenName(instance: string, turn: number): string {
  return `${instance}.${turn}`;
}
