// The whole control plane on a loopback port, for clients that are not ours. No OVN stands below it: what is asked for counts as
// realized at once, so that jobs end; the same scripts run over the lab with real packets.
import { serveApi } from '../../src/api/serve.ts';
import { type Cloud, openCloud } from '../support/cloud.ts';
import { addHosts } from '../support/hosts.ts';

export interface ControlPlane extends AsyncDisposable {
  readonly endpoint: string;
  readonly cloud: Cloud;
}

/** Starts it with the demo's accounts and three hypervisors that are up. */
export async function startControlPlane(): Promise<ControlPlane> {
  const cloud = await openCloud();
  await addHosts(cloud.store);
  let settling = Promise.resolve();
  cloud.store.write.onChange(() => {
    settling = settling.then(() => cloud.settle());
  });
  const served = await serveApi(cloud.app, { port: 0 });
  return {
    endpoint: served.url,
    cloud,
    async [Symbol.asyncDispose]() {
      await served.close();
      await settling;
      await cloud[Symbol.asyncDispose]();
    },
  };
}
