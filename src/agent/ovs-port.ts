// Taking a port out of Open vSwitch: the one step that everything with a card on br-int ends with.
import type { Step } from './driver.ts';

/** Takes `port` out of the integration bridge; done already is done. `database`: the node's, as `unix:PATH`. */
export function removePort(database: string, port: string, reason: string): Step {
  const how = [`--db=${database}`, '--no-wait', '--timeout=10', '--'];
  return { kind: 'run', argv: ['ovs-vsctl', ...how, '--if-exists', 'del-port', 'br-int', port], reason };
}
