/**
 * The package's second entry, `bitmarks/tfjs`: networks as TensorFlow.js kernels, tensors in and tensors out, for pages that
 * already use TensorFlow.js. Public exports only. It shares the page's own copy of TensorFlow.js.
 */
export type { Backend, BackendOptions } from './engine/backend';
export { createReferenceBackend } from './engine/reference/reference_backend';
export { createFloatGraph, type FloatGraph } from './engine/tfjs/float_graph';
export {
  registerBitmarks,
  runLandmarkNetwork,
  type LandmarkNetwork,
  type NetworkTarget,
} from './engine/tfjs/landmark_network';
export { createWasmBackend } from './engine/wasm/wasm_backend';
export { BitmarksError, type BitmarksErrorCode } from './errors';
export { parsePack } from './model/pack';
export type { Model } from './model/types';
