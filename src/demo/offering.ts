// An offering that the product does not bring along and several stories begin with: made by the operator, by requests.
import { field, rows, text } from './answer.ts';
import type { World } from './story.ts';

/** A VLAN whose gateway is somebody's machine, while OVN tells instances by DHCP: the only service. Its name. */
export async function wireWithDhcp({ operator, say }: World): Promise<string> {
  const name = 'Wire with DHCP';
  if (rows(await operator('listNetworkOfferings', { name }), 'networkoffering').length > 0) return name;
  const made = await operator('createNetworkOffering', {
    name,
    displaytext: name,
    traffictype: 'Guest',
    guestiptype: 'Isolated',
    segment: 'vlan',
    supportedservices: 'Dhcp',
    'serviceproviderlist[0].service': 'Dhcp',
    'serviceproviderlist[0].provider': 'Ovn',
  });
  await operator('updateNetworkOffering', { id: text(field(made, 'networkoffering'), 'id'), state: 'Enabled' });
  say(`offering ${name}: a VLAN with DHCP by OVN, and no router`);
  return name;
}
