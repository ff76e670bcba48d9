/**
 * Builds what a compiled model keeps on the GPU: buffers, weights, pipelines, and the commands of its steps. It runs nothing
 * but the unpacking of weights.
 */
import { BitmarksError } from '../../errors';
import type { Model, Shape } from '../../model/types';
import type { CompiledModel } from '../backend';
import type { Plan, PlanStep } from '../planner';
import { FrameCrop } from './frame_crop';
import type { GpuMemory } from './gpu_memory';
import { HeatmapSummer } from './heatmap_summer';
import { selectKernels, type SelectedKernel } from './kernels/index';
import { stepBindings, type StepDispatch, type Workgroups } from './kernels/kernel';
import { layoutModel, type ModelLayout } from './model_layout';
import { UNIFORM_SLOT_BYTES, uniformSlots } from './uniform_slots';
import type { WebgpuContext } from './webgpu_context';
import { uploadWeights } from './weight_textures';

/** One dispatch of a frame. */
export interface StepCommand {
  readonly pipeline: GPUComputePipeline;
  readonly uniformOffset: number;
  readonly workgroups: Workgroups;
}

export interface ModelParts {
  readonly memory: GpuMemory;
  /** Kernel of each plan step. */
  readonly kernels: readonly string[];
  /** In order of execution; a step takes one or two. */
  readonly commands: readonly StepCommand[];
  readonly bindGroup: GPUBindGroup;
  readonly crop: FrameCrop;
  readonly summer: HeatmapSummer | null;
  readonly features: GPUBuffer;
  readonly image: GPUBuffer;
  readonly outputBase: number;
  readonly bytes: CompiledModel['bytes'];
}

/** Throws 'backend/failed' when a step has no kernel here or a buffer is too large to bind. */
export async function buildParts(
  context: WebgpuContext,
  memory: GpuMemory,
  model: Model,
  plan: Plan,
): Promise<ModelParts> {
  const { device, traits, pipelines } = context;
  const steps = plan.steps.map((step) => selectKernels(step, traits, context.preferred));
  const forms = steps.map(({ form }) => form);
  const layout = layoutModel(model, plan, forms);
  const dispatches = plan.steps.flatMap((step, index) => {
    const stages = steps[index];
    const placement = layout.placements[index];
    if (stages === undefined || placement === undefined) return [];
    const { activations, main } = stages;
    const isMade =
      activations === null ||
      (stages.form === forms[index - 1] && sharesActivations(plan.steps[index - 1], step));
    return (isMade ? [main] : [activations, main]).map((kernel) => ({
      kernel,
      ...kernel.dispatch(placement),
    }));
  });
  const bindGroupLayout = device.createBindGroupLayout({ label: 'steps', entries: stepBindings() });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [bindGroupLayout] });
  const stepPipelines = Promise.all(
    dispatches.map(({ kernel }) => pipelines.get(kernel.name, kernel.wgsl, pipelineLayout)),
  );
  const buffers = makeBuffers(memory, layout, plan.inputShape, dispatches);
  const [weights, crop, summer, compiled] = await Promise.all([
    uploadWeights(
      memory,
      pipelines,
      layout,
      steps.some(({ readsWeightBuffer }) => readsWeightBuffer),
    ),
    FrameCrop.create(memory, context, buffers.image, plan.inputShape),
    HeatmapSummer.create(memory, pipelines, model, {
      features: buffers.features,
      base: layout.outputBase,
      shape: plan.outputShape,
    }),
    stepPipelines,
  ]);
  const { features, image, table, uniforms, activations } = buffers;
  const bindGroup = device.createBindGroup({
    label: 'steps',
    layout: bindGroupLayout,
    entries: [
      { binding: 0, resource: { buffer: features } },
      { binding: 1, resource: { buffer: table } },
      { binding: 2, resource: { buffer: uniforms, size: UNIFORM_SLOT_BYTES } },
      { binding: 3, resource: weights.texture.createView() },
      { binding: 4, resource: { buffer: image } },
      { binding: 5, resource: { buffer: activations } },
      // Something must be bound where no kernel reads it.
      { binding: 6, resource: { buffer: weights.buffer ?? table } },
    ],
  });
  return {
    memory,
    kernels: steps.map(({ main }) => main.name),
    commands: compiled.map((pipeline, index) => ({
      pipeline,
      uniformOffset: index * UNIFORM_SLOT_BYTES,
      workgroups: dispatches[index]?.workgroups ?? [0, 0, 0],
    })),
    bindGroup,
    crop,
    summer,
    features,
    image,
    outputBase: layout.outputBase,
    bytes: {
      weights: weights.bytes + table.size + uniforms.size,
      activations: features.size + image.size + activations.size,
    },
  };
}

/** Words of the image: one a pixel. */
export function imageWords([height, width]: Shape): number {
  return height * width;
}

/**
 * A convolution right behind one that reads the same through the same norm finds its activations made: no step in between
 * can have written to them, and a step never writes what it reads.
 */
function sharesActivations(previous: PlanStep | undefined, step: PlanStep): boolean {
  return (
    previous?.kind === 'conv2d' &&
    step.kind === 'conv2d' &&
    previous.node.kernel === step.node.kernel &&
    JSON.stringify(previous.source) === JSON.stringify(step.source)
  );
}

function makeBuffers(
  memory: GpuMemory,
  layout: ModelLayout,
  inputShape: Shape,
  dispatches: readonly (StepDispatch & { readonly kernel: SelectedKernel })[],
) {
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const make = (label: string, words: number): GPUBuffer => {
    const limit = memory.device.limits.maxStorageBufferBindingSize;
    if (words * 4 <= limit) return memory.buffer(label, words * 4, storage);
    throw new BitmarksError(
      'backend/failed',
      `the ${label} need ${words * 4} bytes, this GPU binds at most ${limit}`,
    );
  };
  const uniforms = memory.buffer(
    'steps',
    dispatches.length * UNIFORM_SLOT_BYTES,
    GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
  );
  memory.device.queue.writeBuffer(
    uniforms,
    0,
    uniformSlots(dispatches.map((dispatch) => dispatch.uniforms)),
  );
  return {
    features: make('features', layout.featureWords),
    activations: make('activations', layout.activationWords),
    image: make('image', imageWords(inputShape)),
    table: memory.filledBuffer('table', layout.table),
    uniforms,
  };
}
