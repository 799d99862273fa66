// What a card may send and receive at most. Rule: meters (QoS rows), not queues: options:qos_max_rate of a port does nothing in the
// userspace datapath (measured), and meters work in both.
import type { Nic } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { row, rowId } from './names.ts';

/** ovn-nb(5) QoS.priority: nothing else of ours is in that table. */
const PRIORITY = 100;

/**
 * What may come at once, in seconds of the rate. A meter drops what is too much and queues nothing, so TCP needs room for its bursts:
 * with a tenth of a second it gets half the rate (measured), with this about all of it.
 */
const BURST_SECONDS = 1;

/** Rows for the switch's `qos_rules`: one for each direction; none without a limit. */
export function rateRows(unit: string, { id, rateMbit }: Nic): readonly DesiredRow[] {
  if (rateMbit === undefined) return [];
  const kilobits = rateMbit * 1000;
  const bandwidth = { rate: String(kilobits), burst: String(Math.round(kilobits * BURST_SECONDS)) };
  const rule = (key: string, direction: string, match: string): DesiredRow =>
    row('QoS', rowId('QoS', `${id}/${key}`), { id, unit }, { priority: PRIORITY, direction, match, bandwidth });
  return [rule('sends', 'from-lport', `inport == "${id}"`), rule('receives', 'to-lport', `outport == "${id}"`)];
}
