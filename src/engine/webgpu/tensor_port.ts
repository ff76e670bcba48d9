/**
 * Runs a compiled model from one GPU buffer to another: int32 tensors [h, w, 3] in and [h, w, c] out, as tfjs stores them.
 * Nothing is read back. Knows buffers, not tfjs.
 */
import { packTensor } from './kernels/pack_tensor';
import { unpackTensor } from './kernels/unpack_tensor';
import type { WebgpuModel } from './webgpu_model';

export class TensorPort {
  private readonly model: WebgpuModel;
  private readonly packing: GPUComputePipeline;
  private readonly unpacking: GPUComputePipeline;

  private constructor(
    model: WebgpuModel,
    packing: GPUComputePipeline,
    unpacking: GPUComputePipeline,
  ) {
    this.model = model;
    this.packing = packing;
    this.unpacking = unpacking;
  }

  static async create(model: WebgpuModel): Promise<TensorPort> {
    const { device, pipelines } = model.context;
    const compile = (
      name: string,
      wgsl: string,
      entries: GPUBindGroupLayoutEntry[],
    ): Promise<GPUComputePipeline> => {
      const bindGroupLayouts = [device.createBindGroupLayout({ label: name, entries })];
      return pipelines.get(name, wgsl, device.createPipelineLayout({ bindGroupLayouts }));
    };
    const { inputShape, outputShape, outputBase } = model;
    const [packing, unpacking] = await Promise.all([
      compile(packTensor.name, packTensor.wgsl(inputShape), packTensor.bindings()),
      compile(
        unpackTensor.name,
        unpackTensor.wgsl(outputShape, outputBase),
        unpackTensor.bindings(),
      ),
    ]);
    return new TensorPort(model, packing, unpacking);
  }

  /** Submits one run. Both buffers need the usage STORAGE; what was submitted before is seen, what comes after sees it. */
  run(input: GPUBuffer, output: GPUBuffer): void {
    const { model } = this;
    model.check();
    const { device, counters } = model.context;
    const encoder = device.createCommandEncoder({ label: 'tensors' });
    const pass = encoder.beginComputePass();
    pass.setPipeline(this.packing);
    pass.setBindGroup(0, this.bind(this.packing, input, model.image));
    pass.dispatchWorkgroups(...packTensor.dispatch(model.inputShape));
    model.encodeSteps(pass);
    pass.setPipeline(this.unpacking);
    pass.setBindGroup(0, this.bind(this.unpacking, model.features, output));
    pass.dispatchWorkgroups(...unpackTensor.dispatch(model.outputShape));
    pass.end();
    device.queue.submit([encoder.finish()]);
    counters.submissions++;
  }

  /** tfjs hands out other buffers all the time, so that keeping bind groups would keep dead buffers alive. */
  private bind(pipeline: GPUComputePipeline, from: GPUBuffer, to: GPUBuffer): GPUBindGroup {
    return this.model.context.device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: from } },
        { binding: 1, resource: { buffer: to } },
      ],
    });
  }
}
