// Alerts: what is wrong now with the nodes that carry ways out, router nodes among them. Not kept: an alert is there as long as it is so, and the event log has when.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { derivedId } from '../../lib/id.ts';
import { findingsNow } from '../../store/gateway-findings.ts';
import { holds, pageOf, pageParams } from '../list.ts';
import { listCommand } from '../room.ts';

export const alertView = z.object({
  id: field.string('id of the alert'),
  type: field.integer('7, a host; 25, anything else'),
  name: field.string('ALERT.GATEWAY'),
  description: field.string('what is wrong, and what would help'),
});

/** CloudStack's numbers: ALERT_TYPE_HOST, and the one for what has no number of its own. */
const HOST = 7;
const OTHER = 25;

export const listAlerts = listCommand({
  name: 'listAlerts',
  summary: 'Lists what is wrong now with gateway and router nodes',
  roles: ROOT,
  params: z.object({
    id: param.text('The alert with this id').optional(),
    name: param.text('Alerts of this name').optional(),
    type: param.text('Alerts of this type').optional(),
    ...pageParams,
  }),
  key: 'alert',
  view: alertView,
  async list(room, want) {
    const alerts = (await findingsNow(room.db)).map(({ about, text }) => ({
      id: derivedId(`alert/${text}`),
      type: about.type === 'Host' ? HOST : OTHER,
      name: 'ALERT.GATEWAY',
      description: text,
    }));
    const found = alerts.filter(
      ({ id, name, type, description }) =>
        (want.id === undefined || want.id === id) &&
        (want.name === undefined || want.name.toLowerCase() === name.toLowerCase()) &&
        (want.type === undefined || want.type === String(type)) &&
        holds(description, want.keyword),
    );
    return pageOf(found, want);
  },
});
