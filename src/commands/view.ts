// Shows one object by key and id, whatever its kind: what a job's result is rendered by, at the moment it is asked for.
import type { Room } from './room.ts';

/**
 * Key of an object in answers (`vpc`, `privategateway`) -> how to show the one with this id; undefined when it is gone.
 * `job` is the name of the command whose result is asked for: some results show once what lists never do (a new password).
 */
export type Views = Readonly<Record<string, (room: Room, id: string, job?: string) => Promise<object | undefined>>>;
