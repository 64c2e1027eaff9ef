// Makes images sendable: vendors take four formats and at most 5 MB. Everything else that this browser can decode is
// drawn again, smaller if needed.

const ACCEPTED = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/gif']);
/** The smallest limit among the vendors, as the server checks it. */
const MAX_BYTES = 5 * 1024 * 1024;
/** Longest sides to try, in pixels; vendors scale to 2,048 or less themselves. */
const SIDES = [2048, 1536, 1024];
/** For SVG images that name no size. */
const DEFAULT_SIDE = 1024;

export function isImage(file: File): boolean {
  return file.type.startsWith('image/') || /\.(?:avif|bmp|heic|heif|svg|tiff?)$/i.test(file.name);
}

/** The image in a format and size that can be sent; null when this browser can't decode it. */
export async function toSendableImage(file: Blob): Promise<Blob | null> {
  if (ACCEPTED.has(file.type) && file.size <= MAX_BYTES) return file;
  const image = await decode(file);
  if (!image) return null;
  for (const side of SIDES) {
    const canvas = draw(image, side);
    // PNG keeps transparency and sharp edges; photos only fit as JPEG.
    const png = await encode(canvas, 'image/png');
    if (png && png.size <= MAX_BYTES) return png;
    const jpeg = await encode(onWhite(canvas), 'image/jpeg');
    if (jpeg && jpeg.size <= MAX_BYTES) return jpeg;
  }
  return null;
}

async function decode(file: Blob): Promise<HTMLImageElement | null> {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

function draw(image: HTMLImageElement, side: number): HTMLCanvasElement {
  const width = image.naturalWidth || DEFAULT_SIDE;
  const height = image.naturalHeight || DEFAULT_SIDE;
  const scale = Math.min(1, side / Math.max(width, height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** JPEG has no transparency: without this, it would turn black. */
function onWhite(canvas: HTMLCanvasElement): HTMLCanvasElement {
  const context = canvas.getContext('2d');
  if (!context) return canvas;
  context.globalCompositeOperation = 'destination-over';
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  return canvas;
}

function encode(canvas: HTMLCanvasElement, type: string): Promise<Blob | null> {
  return new Promise((resolve) => canvas.toBlob(resolve, type, 0.9));
}
