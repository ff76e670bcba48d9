/**
 * Entry of the relaxed-SIMD module: the SIMD128 module and the kernels that multiply bytes.
 */
export * from './simd128';
export { conv2dPairs } from './conv2d_pairs';
export { conv2dQuads } from './conv2d_quads';
