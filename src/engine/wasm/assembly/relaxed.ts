/**
 * Entry of the relaxed-SIMD module. All its convolutions multiply bytes, so it has no wide activations.
 */
export { clearBorder, imageNarrow, requantizeNarrow } from './requantize';
export { conv2dPairs } from './conv2d_pairs';
export { conv2dQuads, conv2dSplitQuads } from './conv2d_quads';
export { crop } from './crop';
export { setScratch } from './lanes';
export { maxPool2d } from './max_pool2d';
