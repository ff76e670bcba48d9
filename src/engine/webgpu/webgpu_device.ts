/**
 * Asks the browser for a GPU device and says plainly why there is none. Owns no resources and runs no kernels; what the
 * device is used for is decided elsewhere.
 */
import { BitmarksError } from '../../errors';
import type { DeviceTraits } from './kernels/kernel';

/** A device and what the kernels must know of it. The caller destroys the device. */
export interface WebgpuDevice {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  readonly traits: DeviceTraits;
}

/**
 * Limits raised to what the adapter has, and why. Everything not listed stays at WebGPU's default, which every adapter has.
 */
const RAISED_LIMITS = [
  // All features of a model live in one storage buffer; the default of 128 MiB bounds large custom graphs.
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  // Stock tfjs kernels on this device size their workgroups by these.
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** Taken where present: tfjs times its kernels with the first and draws with the second, our kernels use the third. */
const WANTED_FEATURES = ['timestamp-query', 'bgra8unorm-storage', 'subgroups'] as const;

/** Adapters that compute on the CPU, in case they do not call themselves fallbacks. */
const SOFTWARE = ['swiftshader', 'llvmpipe'];
/** Invocations of a workgroup where subgroups are not larger. */
const WORKGROUP_SIZE = 64;

/** Throws 'backend/unavailable' with the reason: no WebGPU, an insecure context, or no adapter. */
export async function requestAdapter(powerPreference?: GPUPowerPreference): Promise<GPUAdapter> {
  const gpu = findGpu();
  const adapter = await attempt('the request for a GPU adapter failed', () =>
    gpu.requestAdapter(powerPreference === undefined ? {} : { powerPreference }),
  );
  if (adapter !== null) return adapter;
  throw unavailable(
    'the browser has WebGPU but offers no GPU adapter; the GPU may be blocklisted, disabled in the settings, or ' +
      'missing. chrome://gpu shows the cause',
  );
}

/** Requests an adapter and a device. Throws 'backend/unavailable' as `requestAdapter` does, or for a refused device. */
export async function requestWebgpuDevice(
  powerPreference?: GPUPowerPreference,
): Promise<WebgpuDevice> {
  const adapter = await requestAdapter(powerPreference);
  const device = await attempt('the GPU device was refused', () =>
    adapter.requestDevice({
      label: 'bitmarks',
      requiredFeatures: WANTED_FEATURES.filter((feature) => adapter.features.has(feature)),
      requiredLimits: Object.fromEntries(RAISED_LIMITS.map((name) => [name, adapter.limits[name]])),
    }),
  );
  return { device, info: adapter.info, traits: traitsOf(device, adapter.info, findGpu()) };
}

/** What kernels may count on. Browsers that know no subgroups leave their sizes out of `info`. */
export function traitsOf(
  device: Pick<GPUDevice, 'features' | 'limits'>,
  info: Partial<GPUAdapterInfo>,
  gpu: Pick<GPU, 'wgslLanguageFeatures'>,
): DeviceTraits {
  const hasSubgroups = device.features.has('subgroups');
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX } = device.limits;
  return {
    hasPackedDot: gpu.wgslLanguageFeatures.has('packed_4x8_integer_dot_product'),
    // 4 is the least that WebGPU allows.
    subgroupSize: hasSubgroups ? (info.subgroupMinSize ?? 4) : 0,
    workgroupSize: Math.min(
      Math.max(WORKGROUP_SIZE, info.subgroupMaxSize ?? 0),
      maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupSizeX,
    ),
    isSoftware:
      info.isFallbackAdapter === true || SOFTWARE.includes(info.architecture?.toLowerCase() ?? ''),
  };
}

/** navigator.gpu; throws 'backend/unavailable' where it is missing. */
export function findGpu(): GPU {
  // The types promise navigator.gpu; browsers without WebGPU and insecure pages break that promise.
  const scope = globalThis as { navigator?: { gpu?: GPU }; isSecureContext?: boolean };
  const gpu = scope.navigator?.gpu;
  if (gpu !== undefined) return gpu;
  throw unavailable(
    scope.isSecureContext === false
      ? 'WebGPU needs a secure context and this page has none; serve it over https or from localhost'
      : 'this browser has no WebGPU (navigator.gpu is missing); a current Chrome, Edge, Firefox or Safari has it',
  );
}

async function attempt<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw unavailable(`${what}: ${detail}`, cause);
  }
}

function unavailable(reason: string, cause?: unknown): BitmarksError {
  return new BitmarksError('backend/unavailable', reason, cause === undefined ? {} : { cause });
}
