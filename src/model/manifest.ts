/**
 * Reads a pack's manifest (models/README.md section 3) from parsed JSON and checks every field, by itself and against
 * the graph. No bytes, no tensors.
 */
import { JsonChecker, quote } from './check';
import { CENTERS_CHANNELS, type Codec, type Graph, type Manifest, type RoiRule } from './types';

const LIMITS = { landmarks: 1024, connections: 8192, lines: 1024, textLength: 20_000 } as const;

const check = new JsonChecker('pack/malformed');

type JsonRecord = Readonly<Record<string, unknown>>;

/** Checks the fields of a manifest. Throws 'pack/malformed' that names the field. */
export function parseManifest(json: unknown): Manifest {
  const raw = check.record(json, 'manifest');
  const landmarks = check
    .array(check.field(raw, 'landmarks'), 'manifest.landmarks', 1, LIMITS.landmarks)
    .map((name, index) => check.name(name, `manifest.landmarks[${index}]`));
  return {
    name: check.name(check.field(raw, 'name'), 'manifest.name'),
    task: check.name(check.field(raw, 'task'), 'manifest.task'),
    license: check.text(check.field(raw, 'license'), 'manifest.license', LIMITS.textLength),
    landmarks,
    mirror: parseMirror(check.field(raw, 'mirror'), landmarks.length),
    connections: check
      .array(check.field(raw, 'connections'), 'manifest.connections', 0, LIMITS.connections)
      .map((pair, index) => parsePair(pair, `manifest.connections[${index}]`, landmarks.length)),
    codec: parseCodec(check.record(check.field(raw, 'codec'), 'manifest.codec'), landmarks),
    roi: parseRoi(check.record(check.field(raw, 'roi'), 'manifest.roi'), landmarks.length),
    golden: parseGolden(check.record(check.field(raw, 'golden'), 'manifest.golden')),
    evaluation: check.record(check.field(raw, 'evaluation'), 'manifest.evaluation'),
    data: check
      .array(check.field(raw, 'data'), 'manifest.data', 0, LIMITS.lines)
      .map((line, index) => check.text(line, `manifest.data[${index}]`, LIMITS.textLength)),
    recipe: check.text(check.field(raw, 'recipe'), 'manifest.recipe', LIMITS.textLength),
  };
}

/** Checks what manifest and graph must agree on. Throws 'pack/malformed'. */
export function checkManifestFitsGraph(manifest: Manifest, graph: Graph): void {
  const [height, width, channels] = graph.shapes.get(graph.outputs[0] ?? '') ?? [0, 0, 0];
  if (manifest.landmarks.length !== channels) {
    throw check.fail(
      'manifest.landmarks',
      `a list of ${manifest.landmarks.length}`,
      `${channels} names, one for each channel of the graph's output`,
    );
  }
  const { codec } = manifest;
  const [inputHeight, inputWidth] = graph.input.shape;
  if (
    codec.type === 'centers' &&
    (codec.stride * width !== inputWidth || codec.stride * height !== inputHeight)
  ) {
    throw check.fail(
      'manifest.codec.stride',
      String(codec.stride),
      `input over output of the graph, ${inputWidth} x ${inputHeight} over ${width} x ${height} cells`,
    );
  }
  if (manifest.golden.sha256.length !== graph.outputs.length) {
    throw check.fail(
      'manifest.golden.sha256',
      `a list of ${manifest.golden.sha256.length}`,
      `${graph.outputs.length} hashes, one for each output of the graph`,
    );
  }
}

function parseMirror(json: unknown, count: number): readonly number[] {
  const mirror = check
    .array(json, 'manifest.mirror', count, count)
    .map((value, index) => check.integer(value, `manifest.mirror[${index}]`, 0, count - 1));
  mirror.forEach((partner, index) => {
    if (mirror[partner] !== index) {
      throw check.fail(
        `manifest.mirror[${index}]`,
        `${partner}, whose own partner is ${mirror[partner] ?? 'none'}`,
        'pairs that point at each other',
      );
    }
  });
  return mirror;
}

function parsePair(json: unknown, where: string, count: number): readonly [number, number] {
  const pair = check.array(json, where, 2, 2);
  return [
    check.integer(pair[0], `${where}[0]`, 0, count - 1),
    check.integer(pair[1], `${where}[1]`, 0, count - 1),
  ];
}

function parseCodec(raw: JsonRecord, landmarks: readonly string[]): Codec {
  const type = check.field(raw, 'type');
  const stride = (): number =>
    check.number(check.field(raw, 'stride'), 'manifest.codec.stride', 0.125, 1024);
  const scale = (): number =>
    check.number(check.field(raw, 'scale'), 'manifest.codec.scale', 1e-9, 1000);
  if (type === 'softmax') {
    const window = check.integer(check.field(raw, 'window'), 'manifest.codec.window', 1, 63);
    if (window % 2 === 0) throw check.fail('manifest.codec.window', `${window}`, 'an odd number');
    return { type, stride: stride(), window, scale: scale() };
  }
  if (type === 'centers') {
    checkCentersChannels(landmarks);
    const unit = check.number(check.field(raw, 'unit'), 'manifest.codec.unit', 0.125, 4096);
    return { type, stride: stride(), scale: scale(), unit };
  }
  throw check.fail(
    'manifest.codec.type',
    check.text(type, 'manifest.codec.type', 200),
    'softmax or centers, the codecs of this build',
  );
}

function checkCentersChannels(landmarks: readonly string[]): void {
  const all = CENTERS_CHANNELS.join(' ');
  const upright = CENTERS_CHANNELS.slice(0, 4).join(' ');
  const found = landmarks.join(' ');
  if (found === all || found === upright) return;
  throw check.fail(
    'manifest.landmarks',
    quote(found),
    `the channels of the codec centers: ${upright}, or ${all}`,
  );
}

function parseRoi(raw: JsonRecord, count: number): RoiRule {
  const upright = check.field(raw, 'upright');
  const [landmark, visible] = [check.field(raw, 'landmark'), check.field(raw, 'visible')];
  const [best, mirrored] = [check.field(raw, 'count'), check.field(raw, 'mirrored')];
  return {
    scale: check.number(check.field(raw, 'scale'), 'manifest.roi.scale', 0.1, 10),
    upright: upright === null ? null : parsePair(upright, 'manifest.roi.upright', count),
    presence: check.number(check.field(raw, 'presence'), 'manifest.roi.presence', 0, 1),
    ...(landmark === undefined
      ? {}
      : { landmark: check.number(landmark, 'manifest.roi.landmark', 0, 1) }),
    ...(visible === undefined
      ? {}
      : { visible: check.number(visible, 'manifest.roi.visible', 0, 1) }),
    ...(best === undefined ? {} : { count: check.integer(best, 'manifest.roi.count', 1, count) }),
    ...(mirrored === undefined
      ? {}
      : { mirrored: check.boolean(mirrored, 'manifest.roi.mirrored') }),
  };
}

function parseGolden(raw: JsonRecord): Manifest['golden'] {
  return {
    // From 0, xorshift32 never leaves 0.
    seed: check.integer(check.field(raw, 'seed'), 'manifest.golden.seed', 1, 2 ** 32 - 1),
    sha256: check
      .array(check.field(raw, 'sha256'), 'manifest.golden.sha256', 1, LIMITS.lines)
      .map((hash, index) => parseHash(hash, `manifest.golden.sha256[${index}]`)),
  };
}

function parseHash(json: unknown, where: string): string {
  const text = check.text(json, where, 200);
  if (!/^[0-9a-f]{64}$/.test(text)) {
    throw check.fail(where, JSON.stringify(text), '64 lower-case hex digits');
  }
  return text;
}
