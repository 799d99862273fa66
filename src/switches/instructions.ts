// A switch that no program may touch: the lines are printed for the network team, and what they confirm counts as done. There is
// nothing to connect to and nothing to read, so this is a pure function of the document and no driver like the others.
import { SWITCH_OPTIONS } from '../protocol/switch-options.ts';
import type { PortActual, SwitchDocument, SwitchReport } from '../protocol/switch.ts';
import { checkDocument } from './check.ts';
import { DIALECTS, linesFor } from './dialect.ts';
import { optionsOf } from './options.ts';
import { targetOf } from './plan.ts';

/** No blank, no quote, nothing a shell or a switch's command line would read as more than a name. */
const PORT_NAMES = {
  portName: /^[A-Za-z][A-Za-z0-9/.:_-]{0,63}$/,
  portExample: 'letters, digits and / . : _ -, such as Ethernet1/7',
};

/**
 * The report of such a switch: done when the team has confirmed this generation (or there is nothing to type), else the lines.
 * Throws a {@link SwitchFault} when the options or a port's name make no sense.
 */
export function reviewInstructions(document: SwitchDocument): { report: SwitchReport; steps: readonly [] } {
  const { dialect } = optionsOf(document, SWITCH_OPTIONS.instructions);
  checkDocument(document, PORT_NAMES);
  const { id, name, generation, confirmed } = document;
  const base = { id, name, findings: [] };
  const lines = linesFor(document, DIALECTS[dialect]);
  if (lines.length > 0 && confirmed < generation)
    return { report: { ...base, generation: confirmed, lines }, steps: [] };
  return {
    report: { ...base, generation, actual: { ports: confirmedPorts(document), neighbours: [], macs: [] } },
    steps: [],
  };
}

/** What the team says is there: the only knowledge there is of such a switch. */
function confirmedPorts(document: SwitchDocument): readonly PortActual[] {
  return document.ports.map((spec) => ({
    name: spec.name,
    ...targetOf(document, spec, { name: spec.name, tagged: [] }),
  }));
}
