// A bell: says "look again", never what happened. Rings are not counted; one ring or ten between two looks are the same.

export interface Bell {
  /** Wakes everyone who waits now, or the next one to wait. */
  ring(): void;
  /** Resolves at the next ring (at once if it rang since the last wait), after `timeoutMs`, or when aborted: true = rung. */
  wait(timeoutMs?: number, signal?: AbortSignal): Promise<boolean>;
}

export function createBell(): Bell {
  let rung = false;
  const waiting = new Set<(rang: boolean) => void>();
  return {
    ring() {
      if (waiting.size === 0) rung = true;
      for (const wake of waiting) wake(true);
    },
    wait(timeoutMs, signal) {
      if (rung) {
        rung = false;
        return Promise.resolve(true);
      }
      if (signal?.aborted) return Promise.resolve(false);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const timer = timeoutMs === undefined ? undefined : setTimeout(() => wake(false), timeoutMs);
      const onAbort = (): void => wake(false);
      const wake = (rang: boolean): void => {
        waiting.delete(wake);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        resolve(rang);
      };
      waiting.add(wake);
      signal?.addEventListener('abort', onAbort);
      return promise;
    },
  };
}
