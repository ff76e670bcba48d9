/**
 * Compute pipelines by their WGSL text. The text is the whole key: nothing else may change what a pipeline does, so no
 * second key can disagree with a shader.
 */
import { BitmarksError } from '../../errors';

export class PipelineCache {
  private readonly device: GPUDevice;
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(device: GPUDevice) {
    this.device = device;
  }

  get size(): number {
    return this.pipelines.size;
  }

  /**
   * The pipeline of `wgsl`, whose entry point is `main`. `layout` must be the same for equal texts.
   * Throws 'backend/failed' with the compiler's message.
   */
  get(label: string, wgsl: string, layout: GPUPipelineLayout): Promise<GPUComputePipeline> {
    let pipeline = this.pipelines.get(wgsl);
    if (pipeline === undefined) {
      pipeline = this.create(label, wgsl, layout);
      this.pipelines.set(wgsl, pipeline);
      // A failed text may be tried again; the caller that waits sees the error.
      pipeline.catch(() => this.pipelines.delete(wgsl));
    }
    return pipeline;
  }

  private async create(
    label: string,
    wgsl: string,
    layout: GPUPipelineLayout,
  ): Promise<GPUComputePipeline> {
    const module = this.device.createShaderModule({ label, code: wgsl });
    try {
      return await this.device.createComputePipelineAsync({
        label,
        layout,
        compute: { module, entryPoint: 'main' },
      });
    } catch (cause) {
      const { messages } = await module.getCompilationInfo();
      const detail =
        messages.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join('; ') ||
        (cause instanceof Error ? cause.message : String(cause));
      throw new BitmarksError('backend/failed', `the shader ${label} does not compile: ${detail}`, {
        cause,
      });
    }
  }
}
