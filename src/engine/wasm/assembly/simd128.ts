/**
 * Entry of the SIMD128 module: what engines with plain WebAssembly SIMD run.
 */
export { clearBorder, imageNarrow, imageWide, requantizeNarrow, requantizeWide } from './requantize';
export { conv2dLut } from './conv2d_lut';
export { conv2dMasks } from './conv2d_masks';
export { conv2dWide } from './conv2d_wide';
export { crop } from './crop';
export { setScratch } from './lanes';
export { maxPool2d } from './max_pool2d';
