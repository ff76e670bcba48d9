"""The numeric kernels: skinning, normals and a z-buffer rasteriser, compiled with numba. Arrays in, arrays out.

Image coordinates are continuous: pixel (column c, row r) covers [c, c + 1) x [r, r + 1) and is sampled at its centre. Depth is stored
as inverse distance along the viewing axis (0: nothing there), because that is linear in the image.
"""

from __future__ import annotations

import numba
import numpy as np

# 4 x 4 ordered dither (Bayer): alpha above the pixel's threshold is drawn, so that hair needs no sorting and still gets soft edges.
BAYER = ((np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) + 0.5) / 16).astype(np.float32)

# sRGB decoding (IEC 61966-2-1) of the 256 levels of a texture.
_LEVEL = np.arange(256) / 255
LINEAR = np.where(_LEVEL <= 0.04045, _LEVEL / 12.92, ((_LEVEL + 0.055) / 1.055) ** 2.4).astype(np.float32)


@numba.njit(cache=True)
def chain(parents, heads, rotations):
    """World transforms float32 [b, 3, 4] of bones with local rotations [b, 3, 3] about their heads [b, 3] (rest pose)."""
    out = np.empty((len(parents), 3, 4), np.float32)
    for b in range(len(parents)):
        r, h = rotations[b], heads[b]
        for i in range(3):
            moved = h[i] - (r[i, 0] * h[0] + r[i, 1] * h[1] + r[i, 2] * h[2])
            out[b, i, 0], out[b, i, 1], out[b, i, 2], out[b, i, 3] = r[i, 0], r[i, 1], r[i, 2], moved
        p = parents[b]
        if p >= 0:
            own = out[b].copy()
            for i in range(3):
                for j in range(4):
                    out[b, i, j] = out[p, i, 0] * own[0, j] + out[p, i, 1] * own[1, j] + out[p, i, 2] * own[2, j]
                out[b, i, 3] += out[p, i, 3]
    return out


@numba.njit(cache=True, fastmath=True)
def skin(vertices, influences, weights, transforms):
    """Linear blend skinning: float32 [n, 3] of rest vertices [n, 3] under bone transforms [b, 3, 4]."""
    out = np.empty_like(vertices)
    m = np.empty((3, 4), np.float32)
    for v in range(len(vertices)):
        m[:] = 0
        for k in range(influences.shape[1]):
            w = weights[v, k]
            if w > 0:
                t = transforms[influences[v, k]]
                for i in range(3):
                    for j in range(4):
                        m[i, j] += w * t[i, j]
        x, y, z = vertices[v]
        for i in range(3):
            out[v, i] = m[i, 0] * x + m[i, 1] * y + m[i, 2] * z + m[i, 3]
    return out


@numba.njit(cache=True)
def add_morph(vertices, index, offset, weight):
    """vertices[index] += weight * offset, in place."""
    for k in range(len(index)):
        v = index[k]
        for i in range(3):
            vertices[v, i] += weight * offset[k, i]


@numba.njit(cache=True, fastmath=True)
def vertex_normals(vertices, triangles):
    """Area-weighted unit normals float32 [n, 3]; counter-clockwise triangles face the viewer."""
    out = np.zeros_like(vertices)
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        wx, wy, wz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for k in (a, b, c):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
    for v in range(len(out)):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2) + 1e-12
        out[v] /= length
    return out


@numba.njit(cache=True, fastmath=True)
def project(vertices, position, rotation, focal, cx, cy):
    """Picture x, y and inverse distance (0 nearer than 1 dm) float32 [n, 3] of world points; Camera in scene.py defines the rest."""
    out = np.empty((len(vertices), 3), np.float32)
    for v in range(len(vertices)):
        x, y, z = vertices[v, 0] - position[0], vertices[v, 1] - position[1], vertices[v, 2] - position[2]
        far = -(rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z)
        w = 1 / max(far, np.float32(1))
        out[v, 0] = cx + focal * w * (rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z)
        out[v, 1] = cy - focal * w * (rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z)
        out[v, 2] = w if far > 1 else 0
    return out


@numba.njit(cache=True, fastmath=True)
def shade(vertices, normals, share, eye, toward, sky, ground, key, wrap, gloss, power, dim, two_sided):
    """Light float32 [n, 4] at vertices: sky and ground by the normal's height, key light by its (wrapped) cosine times the `share`
    that arrives, and a Blinn-Phong highlight in the last column. two_sided: normals that turn away from the `eye` are flipped.
    """
    out = np.empty((len(vertices), 4), np.float32)
    glare = (key[0] + key[1] + key[2]) / 3 * gloss * dim
    for v in range(len(vertices)):
        nx, ny, nz = normals[v]
        x, y, z = eye[0] - vertices[v, 0], eye[1] - vertices[v, 1], eye[2] - vertices[v, 2]
        length = 1 / np.sqrt(x * x + y * y + z * z)
        x, y, z = x * length, y * length, z * length
        if two_sided and nx * x + ny * y + nz * z < -0.2:
            nx, ny, nz = -nx, -ny, -nz
        cosine = nx * toward[0] + ny * toward[1] + nz * toward[2]
        diffuse = max((cosine + wrap) / (1 + wrap), 0) * share[v]
        for i in range(3):
            out[v, i] = dim * (0.5 * (sky[i] * (1 + ny) + ground[i] * (1 - ny)) + key[i] * diffuse)
        hx, hy, hz = x + toward[0], y + toward[1], z + toward[2]
        along = (nx * hx + ny * hy + nz * hz) / np.sqrt(hx * hx + hy * hy + hz * hz + 1e-9)
        out[v, 3] = glare * share[v] * along**power if cosine > 0 and along > 0 else 0
    return out


@numba.njit(cache=True, fastmath=True)
def draw(points, light, triangles, uvs, uv_triangles, texture, owner, cull, lift, colour, depth, owners, linear, bayer):
    """Draws textured triangles into linear-light `colour` float32 [h, w, 3], `depth` float32 [h, w] and `owners` uint8 [h, w].

    points float32 [n, 3]: image x, y and inverse depth (<= 0: behind the camera, its triangles are dropped); light float32 [n, 4]:
    diffuse r, g, b and added highlight; uvs [m, 2] in [0, 1], v up; texture uint8 [th, tw, 4], sRGB and straight alpha; cull: drop
    clockwise triangles; lift: inverse depth times 1 + lift is compared, so that thin layers stay above what they lie on.
    """
    height, width = depth.shape
    th, tw = texture.shape[:2]
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        wa, wb, wc = points[a, 2], points[b, 2], points[c, 2]
        if wa <= 0 or wb <= 0 or wc <= 0:
            continue
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        # Image y points down, so a counter-clockwise triangle has negative area here.
        if area == 0 or (cull and area > 0):
            continue
        x0, x1 = max(int(np.ceil(min(ax, bx, cx) - 0.5)), 0), min(int(np.floor(max(ax, bx, cx) - 0.5)), width - 1)
        y0, y1 = max(int(np.ceil(min(ay, by, cy) - 0.5)), 0), min(int(np.floor(max(ay, by, cy) - 0.5)), height - 1)
        if x0 > x1 or y0 > y1:
            continue
        inverse = 1 / area
        ta, tb, tc = uv_triangles[t]
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                sa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse
                sb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse
                sc = 1 - sa - sb
                if sa < 0 or sb < 0 or sc < 0:
                    continue
                w = sa * wa + sb * wb + sc * wc
                if w * (1 + lift) <= depth[y, x]:
                    continue
                # Perspective-correct weights of the three corners.
                pa, pb, pc = sa * wa / w, sb * wb / w, sc * wc / w
                u = (pa * uvs[ta, 0] + pb * uvs[tb, 0] + pc * uvs[tc, 0]) * tw - 0.5
                v = (1 - (pa * uvs[ta, 1] + pb * uvs[tb, 1] + pc * uvs[tc, 1])) * th - 0.5
                fu, fv = np.floor(u), np.floor(v)
                du, dv = u - fu, v - fv
                u0, v0 = int(fu) % tw, int(fv) % th
                u1, v1 = (u0 + 1) % tw, (v0 + 1) % th
                k00, k10, k01, k11 = (1 - du) * (1 - dv), du * (1 - dv), (1 - du) * dv, du * dv
                alpha = k00 * texture[v0, u0, 3] + k10 * texture[v0, u1, 3] + k01 * texture[v1, u0, 3] + k11 * texture[v1, u1, 3]
                if alpha < 255 * bayer[y & 3, x & 3]:
                    continue
                depth[y, x] = w * (1 + lift)
                owners[y, x] = owner
                shine = pa * light[a, 3] + pb * light[b, 3] + pc * light[c, 3]
                for i in range(3):
                    texel = (
                        k00 * linear[texture[v0, u0, i]] + k10 * linear[texture[v0, u1, i]]
                        + k01 * linear[texture[v1, u0, i]] + k11 * linear[texture[v1, u1, i]]
                    )
                    colour[y, x, i] = texel * (pa * light[a, i] + pb * light[b, i] + pc * light[c, i]) + shine


@numba.njit(cache=True, fastmath=True)
def draw_depth(points, triangles, depth):
    """Depth alone, for shadow maps: `depth` float32 [h, w] keeps the largest third coordinate. points float32 [n, 3]."""
    height, width = depth.shape
    for t in range(len(triangles)):
        a, b, c = triangles[t]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0:
            continue
        x0, x1 = max(int(np.ceil(min(ax, bx, cx) - 0.5)), 0), min(int(np.floor(max(ax, bx, cx) - 0.5)), width - 1)
        y0, y1 = max(int(np.ceil(min(ay, by, cy) - 0.5)), 0), min(int(np.floor(max(ay, by, cy) - 0.5)), height - 1)
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                sa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
                sb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
                sc = 1 - sa - sb
                if sa < 0 or sb < 0 or sc < 0:
                    continue
                z = sa * points[a, 2] + sb * points[b, 2] + sc * points[c, 2]
                if z > depth[y, x]:
                    depth[y, x] = z


@numba.njit(cache=True, fastmath=True)
def lit_share(points, depth, bias):
    """Share 0..1 of the light that reaches each point [n, 3] (shadow map coordinates as in draw_depth): mean over 3 x 3 texels."""
    height, width = depth.shape
    out = np.ones(len(points), np.float32)
    for v in range(len(points)):
        cx, cy = int(np.floor(points[v, 0])), int(np.floor(points[v, 1]))
        lit, seen = 0, 0
        for y in range(max(cy - 1, 0), min(cy + 2, height)):
            for x in range(max(cx - 1, 0), min(cx + 2, width)):
                seen += 1
                if points[v, 2] + bias >= depth[y, x]:
                    lit += 1
        if seen:
            out[v] = lit / seen
    return out
