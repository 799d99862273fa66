// What this cloud can do at all: the first thing consoles and command lines ask.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import { CLOUDSTACK_VERSION } from '../../api/xml.ts';
import { readFlag } from '../../store/setting.ts';
import { readCommand } from '../room.ts';

export const capabilityView = z.object({
  cloudstackversion: field.string('version of the API this cloud speaks'),
  supportELB: field.string('whether there is elastic load balancing: false'),
  projectinviterequired: field.boolean('whether joining a project takes an invitation'),
  allowusercreateprojects: field.boolean('whether users may create projects: there are none'),
  userpublictemplateenabled: field.boolean('whether users may share templates with everybody'),
  securitygroupsenabled: field.boolean('whether there are security groups'),
  dynamicrolesenabled: field.boolean('whether roles can be made: they are fixed'),
  kvmsnapshotenabled: field.boolean('whether instances can be snapshot'),
  regionsecondaryenabled: field.boolean('whether there is storage for a whole region'),
  allowuserviewdestroyedvm: field.boolean('whether users see destroyed instances'),
  allowuserexpungerecovervm: field.boolean('whether users may expunge and recover instances'),
  customdiskofferingminsize: field.long("smallest disk of a size of one's own, in GiB"),
  customdiskofferingmaxsize: field.long("largest disk of a size of one's own, in GiB"),
  defaultuipagesize: field.long('entries on a page of a console'),
});

export const listCapabilities = readCommand({
  name: 'listCapabilities',
  summary: 'Lists what this cloud can do',
  roles: EVERYBODY,
  params: z.object({}),
  answer: { kind: 'object', key: 'capability', view: capabilityView },
  async read(room) {
    return {
      capability: {
        cloudstackversion: CLOUDSTACK_VERSION,
        supportELB: 'false',
        projectinviterequired: false,
        allowusercreateprojects: false,
        userpublictemplateenabled: false,
        securitygroupsenabled: false,
        dynamicrolesenabled: false,
        kvmsnapshotenabled: false,
        regionsecondaryenabled: false,
        allowuserviewdestroyedvm: await readFlag(room.db, 'allow.user.view.destroyed.vm'),
        allowuserexpungerecovervm: await readFlag(room.db, 'allow.user.expunge.recover.vm'),
        customdiskofferingminsize: 1,
        customdiskofferingmaxsize: 1024,
        defaultuipagesize: 20,
      } satisfies z.infer<typeof capabilityView>,
    };
  },
});
