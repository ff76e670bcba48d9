/**
 * Entry of the SIMD128 module: what every engine with WebAssembly SIMD runs.
 */
export {
  clearBorder, imageNarrow, imageWide, requantizeNarrow, requantizeWide,
} from './requantize';
export { conv2dWide } from './conv2d_wide';
export { crop } from './crop';
export { maxPool2d } from './max_pool2d';
