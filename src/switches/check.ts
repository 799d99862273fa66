// Refuses a document that must not reach a command line or XML: names the port, and what a name there may look like.
import type { SwitchDocument } from '../protocol/switch.ts';
import { SwitchFault } from './driver.ts';
import { FIRST_VLAN, LAST_VLAN } from './vlans.ts';
import { clean, placeText } from './wording.ts';

export interface PortNames {
  readonly portName: RegExp;
  /** What a port's name looks like, for the refusal. */
  readonly portExample: string;
}

/** Throws a {@link SwitchFault} unless names and VLANs are what the switch can have. */
export function checkDocument(document: SwitchDocument, { portName, portExample }: PortNames): void {
  const { nativeVlan, driver, ports } = document;
  if (!isVlan(nativeVlan) && !(nativeVlan === 0 && driver === 'ovsdb'))
    throw new SwitchFault(`its native VLAN ${nativeVlan} is no VLAN (${FIRST_VLAN} to ${LAST_VLAN})`);
  for (const spec of ports) {
    if (!portName.test(spec.name))
      throw new SwitchFault(`"${clean(spec.name)}" cannot be a port of it: a port's name is ${portExample}`);
    const { tagged, untagged = FIRST_VLAN, trunk } = spec;
    for (const vlan of [...tagged, untagged, ...(trunk?.retired ?? [])])
      if (!isVlan(vlan))
        throw new SwitchFault(`${placeText(document, spec)}: ${vlan} is no VLAN (${FIRST_VLAN} to ${LAST_VLAN})`);
  }
}

function isVlan(vlan: number): boolean {
  return Number.isInteger(vlan) && vlan >= FIRST_VLAN && vlan <= LAST_VLAN;
}
