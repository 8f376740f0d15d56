"""Synthetic clips from prepared faces: traces, morphs, a camera and a room."""
