/**
 * `npm run plan -- PACK [--backend wasm|reference] [--output NAME] [--svg FILE]`: prints the execution plan of a pack.
 * Arguments and printing only; bench/plan/ does the work.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { reportPlan } from '../bench/plan/plan_report';
import { planSvg, planTable } from '../bench/plan/plan_text';
import { createReferenceBackend } from '../src/engine/reference/reference_backend';
import { planGraph } from '../src/engine/planner';
import { createWasmBackendWith } from '../src/engine/wasm/wasm_backend';
import { parsePack } from '../src/model/pack';
import { loadModuleFile, WASM_FILE_URLS } from './wasm_files';

const USAGE = `usage: npm run plan -- PACK.bitmarks [options]

  --backend wasm|reference   whose kernels to name (default: wasm)
  --output NAME              tensor to compute (default: the last refinement pass)
  --svg FILE                 also draw it: a box for each tensor where it lies, a column for each step's multiply-adds`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      backend: { type: 'string', default: 'wasm' },
      output: { type: 'string' },
      svg: { type: 'string' },
    },
  });
  const [pack] = positionals;
  if (pack === undefined) throw new Error('a pack is needed');
  if (values.backend !== 'wasm' && values.backend !== 'reference') {
    throw new Error(`--backend is '${values.backend}', expected wasm or reference`);
  }
  const model = parsePack(readFileSync(pack));
  const plan = planGraph(model, values.output);
  const backend =
    values.backend === 'wasm'
      ? await createWasmBackendWith(loadModuleFile, { wasmUrls: WASM_FILE_URLS })
      : await createReferenceBackend();
  try {
    const { kernels, bytes } = await backend.compile(model, plan);
    const report = reportPlan(plan, kernels);
    console.log(planTable(report));
    console.log(
      `${[backend.name, backend.device ?? ''].join(' ').trim()} holds ${(bytes.weights / 1000).toFixed(1)} kB of weights and ` +
        `${(bytes.activations / 1000).toFixed(1)} kB of features and activations`,
    );
    if (values.svg !== undefined) {
      writeFileSync(values.svg, planSvg(report, `${model.manifest.name}: ${plan.output}`));
    }
  } finally {
    backend.close();
  }
}

try {
  await main();
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
