// Network service providers: who makes the services of networks. Here they are always there and enabled, one row of each name
// for each physical network, so that clients that look before they act find what they look for.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { derivedId } from '../../lib/id.ts';
import { PROVIDED, SERVICE_PROVIDERS } from '../../model/network-service.ts';
import { existing } from '../access.ts';
import { holds, pageOf, pageParams } from '../list.ts';
import { listCommand } from '../room.ts';

export const networkServiceProviderView = z.object({
  id: field.string('id of the provider on this physical network'),
  name: field.string('its name'),
  physicalnetworkid: field.string('the physical network'),
  state: field.string('Enabled'),
  servicelist: field.list('the services it makes', z.string()),
  canenableindividualservice: field.boolean('true: an offering may take some of them'),
});

export const listNetworkServiceProviders = listCommand({
  name: 'listNetworkServiceProviders',
  summary: 'Lists network service providers',
  roles: ROOT,
  key: 'networkserviceprovider',
  view: networkServiceProviderView,
  params: z.object({
    physicalnetworkid: param.ref('physicalnetwork', 'On this physical network').optional(),
    name: param.text('The one of this name').optional(),
    state: param.text('Enabled').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    if (want.physicalnetworkid !== undefined)
      await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    let query = room.db.selectFrom('physicalnetwork').select('id');
    if (want.physicalnetworkid !== undefined) query = query.where('id', '=', want.physicalnetworkid);
    const networks = await query.orderBy('created').orderBy('id').execute();
    const rows = networks.flatMap(({ id }) =>
      SERVICE_PROVIDERS.map((name) => ({
        id: derivedId(`provider/${name}/${id}`),
        name,
        physicalnetworkid: id,
        state: 'Enabled',
        servicelist: [...PROVIDED[name]],
        canenableindividualservice: true,
      })),
    );
    const asked = rows.filter(
      ({ name, state }) =>
        (want.name === undefined || want.name.toLowerCase() === name.toLowerCase()) &&
        (want.state === undefined || want.state.toLowerCase() === state.toLowerCase()) &&
        holds(name, want.keyword),
    );
    return pageOf(asked, want);
  },
});
