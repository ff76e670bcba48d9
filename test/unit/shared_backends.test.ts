/** Leases of one backend: opened once, closed with the last, not shared again when it is lost or could not be opened. */
import { describe, expect, it } from 'vitest';
import type { Backend, BackendOptions, CompiledModel } from '../../src/engine/backend';
import { shareBackends } from '../../src/engine/shared_backends';
import { codeOf } from '../helpers/codes';
import { BitmarksError } from '../../src/errors';

const options: BackendOptions = { wasmUrls: { simd128: 'a', relaxed: 'b' } };

/** A loader of backends that only count. */
function setUp() {
  const made: { closed: boolean; openModels: number; lose: (reason: string) => void }[] = [];
  const state = { failures: 0 };
  const open = shareBackends((name) =>
    Promise.resolve(() => {
      if (state.failures > 0) {
        state.failures -= 1;
        return Promise.reject(new BitmarksError('backend/unavailable', 'no'));
      }
      const { promise: lost, resolve: lose } = withResolver();
      const record = { closed: false, openModels: 0, lose };
      made.push(record);
      const backend: Backend = {
        name,
        device: 'counter',
        lost,
        compile: () => {
          record.openModels += 1;
          const close = () => {
            record.openModels -= 1;
          };
          return Promise.resolve({ close } as CompiledModel);
        },
        close: () => {
          record.closed = true;
        },
      };
      return Promise.resolve(backend);
    }),
  );
  const lease = async (asked = options) => (await open('wasm', asked))(asked);
  return { made, state, lease };
}

function withResolver(): { promise: Promise<string>; resolve: (reason: string) => void } {
  let resolve: (reason: string) => void = () => undefined;
  const promise = new Promise<string>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const compile = (backend: Backend) => backend.compile({} as never, {} as never);

describe('shareBackends', () => {
  it('opens one backend for all who ask at the same time or later, and closes it with the last', async () => {
    const { made, lease } = setUp();
    const [a, b] = await Promise.all([lease(), lease()]);
    const c = await lease();
    expect(made).toHaveLength(1);
    expect([a.name, a.device]).toEqual(['wasm', 'counter']);
    await Promise.all([a, b, b, c].map(compile));
    b.close();
    b.close();
    expect(made[0]).toMatchObject({ openModels: 2, closed: false });
    a.close();
    c.close();
    expect(made[0]).toMatchObject({ openModels: 0, closed: true });
    await lease();
    expect(made).toHaveLength(2);
  });

  it('keeps backends with other options apart', async () => {
    const { made, lease } = setUp();
    await lease();
    await lease({ ...options, wasmVariant: 'simd128' });
    expect(made).toHaveLength(2);
  });

  it('closes a model that was compiled while its lease was closed', async () => {
    const { made, lease } = setUp();
    const [a, b] = [await lease(), await lease()];
    const compiling = codeOf(compile(a));
    a.close();
    expect(await compiling).toBe('closed');
    expect(made[0]).toMatchObject({ openModels: 0, closed: false });
    b.close();
  });

  it('gives no lost backend to those who come later', async () => {
    const { made, lease } = setUp();
    const a = await lease();
    made[0]?.lose('gone');
    expect(await a.lost).toBe('gone');
    await lease();
    expect(made).toHaveLength(2);
    a.close();
    expect(made.map(({ closed }) => closed)).toEqual([true, false]);
  });

  it('tries anew after a failure', async () => {
    const { made, state, lease } = setUp();
    state.failures = 1;
    const [first, second] = [codeOf(lease()), codeOf(lease())];
    expect([await first, await second]).toEqual(['backend/unavailable', 'backend/unavailable']);
    await lease();
    expect(made).toHaveLength(1);
  });
});
