"""Where the labels sit on the base mesh hm08: 16 body joints in MPII order, 68 face points in iBUG order. Data only."""

JOINTS = (
    "r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle", "pelvis", "thorax", "upper_neck", "head_top",
    "r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist",
)

_R_HIP, _L_HIP = list(range(14286, 14294)), list(range(13846, 13854))
_R_CLAVICLE, _L_CLAVICLE = list(range(14494, 14502)), list(range(14054, 14062))

# A joint is the mean of these vertices, carried by their skin weights: the helper cubes of the mesh (joint-r-ankle and so on), except
# for the upper neck, which has no cube at chin height and is the ring of the rig joint neck02____head. Head top is joint-head-2.
JOINT_VERTICES = (
    list(range(14270, 14278)), list(range(14278, 14286)), _R_HIP, _L_HIP, list(range(13838, 13846)), list(range(13830, 13838)),
    _R_HIP + _L_HIP, _R_CLAVICLE + _L_CLAVICLE,
    [754, 756, 818, 819, 820, 821, 824, 825, 826, 827, 831, 832, 7473, 7475, 7529, 7530, 7531, 7532, 7535, 7536, 7537, 7538, 7542, 7543],
    list(range(14566, 14574)), list(range(14470, 14478)), list(range(14478, 14486)), list(range(14486, 14494)),
    list(range(14046, 14054)), list(range(14038, 14046)), list(range(14030, 14038)),
)

# How far in front of a joint its own surface may lie, in decimetres on an adult: skin, loose cloth and shoes seen at a slant. What is
# nearer to the camera hides the joint.
JOINT_DEPTHS = (1.4, 1.4, 2.1, 2.1, 1.4, 1.4, 2.4, 2.0, 1.9, 1.8, 1.0, 1.2, 1.6, 1.6, 1.2, 1.0)

FACE_VERTICES = (
    5754, 5235, 5097, 5242, 5240, 915, 5295, 5292, 5225, 11898, 11901, 7617, 11849, 11851, 11712, 11844, 12351, 254, 207, 176, 177, 181,
    6957, 6953, 6952, 6982, 7023, 133, 131, 201, 294, 286, 313, 312, 7076, 7055, 4856, 6, 54, 4871, 47, 41, 11489, 6838, 6790, 11474,
    6825, 6831, 444, 5351, 456, 466, 7215, 11953, 7204, 7239, 7245, 496, 490, 484, 437, 472, 474, 7228, 7197, 7242, 523, 487,
)
