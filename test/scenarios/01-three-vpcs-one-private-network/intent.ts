// What the tenants of the scenario asked for; README.txt has the drawing.
import { ALLOW, DENY, intentOf, vlan } from '../../../src/compile/sample.test-support.ts';

const web = (n: number) => ({ web: { cidr: `10.${n}.1.0/24`, nics: [`10.${n}.1.11@hv${n}`], acl: ALLOW } });

export const intent = intentOf({
  privateNetworks: { backbone: { cidr: '172.16.1.0/24', segment: vlan(300) } },
  vpcs: [
    {
      name: 'alpha',
      cidr: '10.1.0.0/16',
      tiers: web(1),
      gateways: { backbone: '172.16.1.1' },
      gatewayAcl: DENY,
      routes: ['10.2.0.0/16 via 172.16.1.2', '10.3.0.0/16 via 172.16.1.3', '10.9.0.0/16 via 172.16.9.1'],
    },
    {
      name: 'beta',
      cidr: '10.2.0.0/16',
      tiers: web(2),
      gateways: { backbone: '172.16.1.2' },
      routes: ['10.1.0.0/16 via 172.16.1.1', '10.3.0.0/16 via 172.16.1.3'],
    },
    {
      name: 'gamma',
      cidr: '10.3.0.0/16',
      tiers: web(3),
      gateways: { backbone: '172.16.1.3' },
      routes: ['10.1.0.0/16 via 172.16.1.1', '10.2.0.0/16 via 172.16.1.2'],
    },
  ],
});
