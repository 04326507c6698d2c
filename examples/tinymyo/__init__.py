"""TinyMyo, a transformer for surface EMG: model, reference networks, export and demo."""
