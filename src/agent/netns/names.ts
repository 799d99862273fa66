// How what belongs to an instance is called on its node: names follow from ids, so that nothing has to be remembered.

export interface PlanContext {
  readonly node: string;
  /** Where instances' files live. */
  readonly directory: string;
  /** `unix:PATH` of the node's OVS database. */
  readonly database: string;
}

/** Marks our ports in OVS: external_ids of the interface. */
export const OWNER = 'trunkline-node';

/** Name of an instance's network namespace. */
export function netnsOf(id: string): string {
  return `i-${id.slice(0, 8)}`;
}

/** Name of a card's cable on the hypervisor's side: 13 characters of the 15 allowed. */
export function portOf(nicId: string): string {
  return `v${nicId.replaceAll('-', '').slice(0, 12)}`;
}
